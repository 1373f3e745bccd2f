import { PicpipeError } from '../../../errors.ts';

/** Longest part of a rejected value to repeat in an error, in characters. */
const maximumShown = 60;

/** A value from the URL in quotes, shortened and without control characters. */
export function shown(text: string): string {
	return JSON.stringify(text.length > maximumShown ? `${text.slice(0, maximumShown)}…` : text);
}

function expectation(name: string, expected: string, received: string): string {
	return `Expected ${expected} for ${name} but received ${shown(received)}.`;
}

/** An unreadable value, or one out of range. @param expected such as `an integer from 1 to 100` */
export function invalidValue(name: string, expected: string, received: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', expectation(name, expected, received));
}

/** An unreadable URL, in one sentence. */
export function invalidUrl(sentence: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', sentence);
}

/** A value that the original service supports and picpipe does not. */
export function unsupportedValue(name: string, expected: string, received: string): PicpipeError {
	return new PicpipeError('option-unsupported', expectation(name, expected, received));
}

/** An option that the original service has and picpipe does not. @param why a complete sentence */
export function unsupportedOption(name: string, why?: string): PicpipeError {
	const sentence = `The option ${shown(name)} is not supported.`;
	return new PicpipeError('option-unsupported', why ? `${sentence} ${why}` : sentence);
}

/** An option that needs the picture's size before it is decoded. @param what such as `r_max` */
export function sizeUnknown(what: string): PicpipeError {
	const sentence = `Expected ${shown(what)} where the size of the picture is known.`;
	const reason = 'It is not known before decoding for a trimmed picture, or for a further page of a TIFF.';
	return new PicpipeError('option-unsupported', `${sentence} ${reason}`);
}
