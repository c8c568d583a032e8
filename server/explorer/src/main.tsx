/** The page's beginning. */
import { render } from 'preact';
import { App } from './app.tsx';
import { Models } from './models.ts';
import { Runs } from './runs.ts';
import { Server } from './server.ts';
import './styles/base.css';
import './styles/layout.css';
import './styles/views.css';
import './styles/heat.css';
import './styles/experiment.css';

const server = new Server(location.origin);
// The counts of who waits have changed. A server that does not let the page in is not asked more often for it.
const runs = new Runs(() => {
  if (server.state.value.at === 'open') server.ask();
});
const root = document.getElementById('app');
if (root) render(<App server={server} models={new Models(server)} runs={runs} />, root);
server.ask();
