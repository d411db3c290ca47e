// What the bundler makes of files that are no scripts: their address on the server.
declare module '*.svg' {
  const address: string;
  export default address;
}
declare module '*.css';
