// The dashboard in the browser: puts the app into the page.
import { render } from 'preact';
import '@fontsource-variable/inter/index.css';
import './style/index.css';
import { App } from './app.js';
import { applyRemembered } from './theme.js';

applyRemembered();
render(<App />, document.getElementById('app')!);
