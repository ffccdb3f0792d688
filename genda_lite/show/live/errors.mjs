// errors.py

/** Bad input, told in one sentence: what is wrong, where, and what was expected. */
export class InputError extends Error {
  constructor(message) {
    super(message);
    this.name = "InputError";
  }
}
