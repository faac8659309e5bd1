/** A variable of the environment: how long property tests run is the caller's choice. */
export function env(name: string): string | undefined {
  return process.env[name];
}
