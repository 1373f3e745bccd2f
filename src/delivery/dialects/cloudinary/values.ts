import { PicpipeError } from '../../../errors.ts';
import { expectation } from '../expectation.ts';

/** Reads single values of an address, and says what was expected where that fails. */

/** A value that is none, or out of range. */
export function unreadable(name: string, expected: string, received: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', expectation(expected, name, received));
}

/** A value that means something to Cloudinary and nothing here. */
export function unsupported(name: string, expected: string, received: string): PicpipeError {
	return new PicpipeError('option-unsupported', expectation(expected, name, received));
}

/** @throws PicpipeError `invalid-delivery-url` */
export function integerOf(name: string, text: string, minimum: number, maximum: number): number {
	const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
	if (!(value >= minimum && value <= maximum)) {
		throw unreadable(name, `an integer from ${minimum} to ${maximum}`, text);
	}
	// -0 would be another option than 0.
	return value + 0;
}

/** @throws PicpipeError `invalid-delivery-url` */
export function numberOf(name: string, text: string, minimum: number, maximum: number): number {
	const value = /^-?\d{1,9}(\.\d{1,17})?$/.test(text) ? Number(text) : Number.NaN;
	if (!(value >= minimum && value <= maximum)) {
		throw unreadable(name, `a number from ${minimum} to ${maximum}`, text);
	}
	return value + 0;
}

/** Undoes percent-encoding. @throws PicpipeError `invalid-delivery-url` */
export function decoded(name: string, text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		throw unreadable(name, 'percent-encoded UTF-8', text);
	}
}

/** Four digits are more than a picture shows, and 0.1 + 0.2 makes no other render than 0.3. */
export function rounded(value: number): number {
	return Math.round(value * 10_000) / 10_000;
}
