import { namePattern } from '../../../domain/recipe.ts';
import { base64Text, boolean, integer, percentText } from './arguments.ts';
import { type Option, single } from './option.ts';
import { readFormat } from './output-options.ts';
import { unexpected } from './refusals.ts';

/** Options that say what becomes of the answer, and which variant it is. */

/** The end of the year 9999. */
const maximumTime = 253_402_300_799;

const expires = single(['expires', 'exp'], (text, _pipeline, { handling }, name) => {
	handling.expiresAt = integer(name, text, 0, maximumTime);
});

/** Longest name, characters. */
const maximumFilename = 200;

const filename: Option = {
	names: ['filename', 'fn'],
	most: 2,
	read([text = '', encoded = ''], _pipeline, { handling }, name) {
		const isEncoded = encoded !== '' && boolean(name, encoded);
		const value = isEncoded ? base64Text(name, text) : percentText(name, text);
		const isFine = value.length <= maximumFilename && !/[\p{C}\p{Zl}\p{Zp}/\\]|^\.{0,2}$/u.test(value);
		if (!isFine) {
			throw unexpected(
				`a name of 1 to ${maximumFilename} characters without slashes and control characters`,
				name,
				value,
			);
		}
		handling.filename = value;
	},
};

/** Ours: what a recipe made. */
const variant: Option = {
	names: ['variant'],
	most: 2,
	read([variantName = '', format = ''], _pipeline, { handling }, name) {
		if (!namePattern.test(variantName)) throw unexpected('1 to 32 of a-z, 0-9 and _', name, variantName);
		handling.variant = { name: variantName, ...variantFormat(name, format) };
	},
};

/** `auto` and nothing are the same: whichever fits best. */
export function variantFormat(name: string, text: string): { format?: string } {
	const format = text === '' ? 'auto' : readFormat(name, text);
	return format === 'auto' ? {} : { format };
}

/** Those that change nothing of the picture, and so may stand beside a variant. */
export const handlingOptions: readonly Option[] = [
	{ names: ['cachebuster', 'cb'], most: 1, read: () => undefined },
	expires,
	filename,
	single(['return_attachment', 'att'], (text, _pipeline, { handling }, name) => {
		handling.isAttachment = boolean(name, text);
	}),
	variant,
];
