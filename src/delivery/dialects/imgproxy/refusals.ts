import { PicpipeError } from '../../../errors.ts';
import { expectation, shown } from '../expectation.ts';

/** A value that can't be read or is out of range. @param what such as `an integer from 1 to 100` */
export function unexpected(what: string, name: string, received: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', expectation(what, name, received));
}

/** An address that is not understood, in one sentence. */
export function invalid(sentence: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', sentence);
}

/** Something that imgproxy has and we don't. @param why a sentence about it */
export function unsupported(option: string, why?: string): PicpipeError {
	const sentence = `The option ${shown(option)} is not supported.`;
	return new PicpipeError('option-unsupported', why ? `${sentence} ${why}` : sentence);
}
