import { PicpipeError } from '../../../errors.ts';

/** Longest piece of a rejected value that is repeated to the one who sent it. */
const maximumShownCharacters = 60;

function shown(value: string): string {
	return JSON.stringify(value.length > maximumShownCharacters ? `${value.slice(0, maximumShownCharacters)}…` : value);
}

/** A value that can't be read or is out of range. @param what such as `an integer from 1 to 100` */
export function unexpected(what: string, name: string, received: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', `Expected ${what} for ${name} but received ${shown(received)}.`);
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
