// Style sheets are for the bundler; the compiler need only know that they may be imported.
declare module '*.css';
declare module '@fontsource-variable/inter/index.css';
