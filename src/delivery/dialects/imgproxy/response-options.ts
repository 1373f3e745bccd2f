import { cutFilename, isFilename } from '../../../domain/filename.ts';
import { namePattern } from '../../../domain/recipe.ts';
import { base64Decoded, percentDecoded } from '../shared/arguments.ts';
import { invalidValue } from '../shared/refusals.ts';
import { argument, type ImgproxyOption, single, toggle } from './option.ts';
import { readFormat } from './output-options.ts';

/** Options of the response, and the choice of a stored variant. */

/** The end of the year 9999. */
const maximumTime = 253_402_300_799;

const expires = single(['expires', 'exp'], (text, _pipeline, { response }, name) => {
	response.expiresAt = argument.integer(name, text, 0, maximumTime);
});

const filename: ImgproxyOption = {
	names: ['filename', 'fn'],
	most: 2,
	read([text = '', encoded = ''], _pipeline, { response }, name) {
		const isEncoded = encoded !== '' && argument.boolean(name, encoded);
		const value = isEncoded ? base64Decoded(name, text) : percentDecoded(name, text);
		if (!isFilename(value) || cutFilename(value) !== value) {
			throw invalidValue(
				name,
				'a name of 1 to 200 characters and at most 800 bytes without slashes and control characters',
				value,
			);
		}
		response.filename = value;
	},
};

/** picpipe's own option: a stored variant. */
const variant: ImgproxyOption = {
	names: ['variant'],
	most: 2,
	read([variantName = '', format = ''], _pipeline, { response }, name) {
		if (!namePattern.test(variantName)) throw invalidValue(name, '1 to 32 of a-z, 0-9 and _', variantName);
		response.variant = { name: variantName, ...variantFormat(name, format) };
	},
};

/** `auto` is the same as no format: the best that the client accepts. */
export function variantFormat(name: string, text: string): { format?: string } {
	const format = text === '' ? 'auto' : readFormat(name, text);
	return format === 'auto' ? {} : { format };
}

/** They do not change the picture, so they can be combined with a variant. */
export const responseOptions: readonly ImgproxyOption[] = [
	{ names: ['cachebuster', 'cb'], most: 1, read: () => undefined },
	expires,
	filename,
	toggle(['return_attachment', 'att'], (isOn, _pipeline, { response }) => {
		response.isAttachment = isOn;
	}),
	variant,
];
