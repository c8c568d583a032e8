/** The site's menu: sections and their pages in order, as files under docs/. A page that stands nowhere comes under More. */
export const NAVIGATION = [
  {
    title: 'Start',
    pages: [
      'README.md',
      'tutorials/quickstart.md',
      'CONCEPTS.md',
      'COMING-FROM-NNSIGHT.md',
      'LIMITS.md',
      'GLOSSARY.md',
    ],
  },
  {
    title: 'Tutorials',
    pages: [
      'tutorials/early-stopping.md',
      'tutorials/logit-lens.md',
      'tutorials/activation-patching.md',
      'tutorials/sessions.md',
      'tutorials/steering.md',
      'tutorials/generation.md',
      'SAE.md',
      'tutorials/browser.md',
      'tutorials/self-hosting-gpu.md',
    ],
  },
  {
    title: 'Operators and operating',
    pages: ['EXPLORER.md', 'OPERATORS.md', 'SELF-HOSTING.md', '../docker/README.md'],
  },
  { title: 'Errors', folder: 'errors' },
  {
    title: 'The wire',
    pages: ['PROTOCOL.md', 'CONFORMANCE.md', 'schema/README.md', 'examples/python/README.md'],
  },
  {
    title: 'How it is made',
    pages: ['ARCHITECTURE.md', 'PARITY.md', 'BENCHMARKS.md', 'RELIABILITY.md', 'LICENSES.md'],
  },
  { title: 'Decisions', folder: 'decisions' },
];
