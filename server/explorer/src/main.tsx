/** The page's beginning. */
import { render } from 'preact';
import { App } from './app.tsx';
import { Models } from './models.ts';
import { Runs } from './runs.ts';
import { Server } from './server.ts';
import './styles/base.css';
import './styles/layout.css';
import './styles/views.css';

const server = new Server(location.origin);
const root = document.getElementById('app');
if (root) render(<App server={server} models={new Models(server)} runs={new Runs()} />, root);
server.ask();
