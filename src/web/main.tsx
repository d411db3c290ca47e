// The dashboard in the browser: puts the app into the page.
import { render } from 'preact';
import '@fontsource-variable/inter/index.css';
import './style/index.css';
import icon from './icon.svg';

render(<img src={icon} alt="click-agg" />, document.getElementById('app')!);
