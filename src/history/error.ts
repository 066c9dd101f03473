/** History that can't be read; the message is ready for the user: file, column, what was found, what is allowed. */
export class HistoryError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HistoryError'
  }
}
