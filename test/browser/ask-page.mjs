/** The program that the conformance suite starts for the browser: asks the page behind a port, and prints what it says. */
const { TRACEWIRE_URL: url = '', TRACEWIRE_SCENARIO: scenario = '' } = process.env;
const answer = await fetch(`http://127.0.0.1:${process.argv[2]}/?${new URLSearchParams({ url, scenario })}`);
process.stdout.write(await answer.text());
