/** The machine is at fault, not the configuration: a port is taken, a folder cannot be written. Exit code 3. */
export class EnvironmentFault extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = 'EnvironmentFault'
  }
}
