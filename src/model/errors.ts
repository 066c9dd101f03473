/** Why a model can't be made, opened or used. The message is written for the operator. */
export type ModelErrorCode =
  | 'diverged' // a loss is not a number
  | 'guard' // a training guard refused the model
  | 'too_little_data'
  | 'not_writable'
  | 'busy' // another process is at work on the same
  | 'bundle_missing'
  | 'bundle_broken'
  | 'bundle_mismatch'

export class ModelError extends Error {
  readonly code: ModelErrorCode

  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ModelError'
    this.code = code
  }
}
