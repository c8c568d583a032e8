/**
 * Our client as the conformance suite starts it, and an example for other clients: connects to TRACEWIRE_URL, runs the
 * trace named by TRACEWIRE_SCENARIO, prints one JSON line for each save, log or error (docs/CONFORMANCE.md), ends with 0.
 */
import * as client from '@tracewire/client';
import { linesOf } from './our-traces.ts';

const { TRACEWIRE_URL: url = '', TRACEWIRE_SCENARIO: scenario = '' } = process.env;
for (const line of await linesOf(client, url, scenario)) process.stdout.write(`${JSON.stringify(line)}\n`);
