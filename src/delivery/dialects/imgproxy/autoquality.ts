import { integer, number, oneOf } from './arguments.ts';
import type { Option } from './option.ts';
import type { Autoquality } from './pipeline.ts';
import { unexpected, unsupported } from './refusals.ts';

/** A quality that is looked for, and where it is looked for if the address does not say. */

/** Bytes that an encoder can aim at. */
export const bytes = (name: string, text: string) => integer(name, text, 100, 1e9);

/** imgproxy's own defaults (`IMGPROXY_AUTOQUALITY_TARGET`, `_MIN`, `_MAX`, `_FORMAT_MIN` and `_FORMAT_MAX`). */
const usualDssim = 0.02;
const usualBounds = { min: 70, max: 80 };
const usualAvifBounds = { min: 60, max: 65 };

/** As far as a similarity can be aimed at (`ssimTarget`). */
const [leastSsim, mostSsim] = [0.5, 0.9999];

export const autoquality: Option = {
	names: ['autoquality', 'aq'],
	most: 5,
	read([method = '', target = '', lowest = '', highest = '', allowed = ''], _pipeline, { output }, name) {
		const known = method === '' ? 'none' : oneOf(name, method, ['none', 'size', 'dssim', 'ml']);
		if (known === 'ml') throw unsupported(`${name}:ml`, 'A quality is found by size or by dssim.');
		if (known === 'none') {
			delete output.autoquality;
			return;
		}
		const min = lowest === '' ? undefined : integer(name, lowest, 1, 100);
		const max = highest === '' ? undefined : integer(name, highest, 1, 100);
		if ((min ?? 1) > (max ?? 100)) throw unexpected(`a highest quality of at least ${min}`, name, highest);
		// What is found is off by nothing, and so by no more than is allowed.
		if (allowed !== '') number(name, allowed, 0, 1);
		output.autoquality = {
			goal: known === 'size' ? { maxBytes: bytes(name, target) } : { ssim: ssimOf(name, target) },
			...(min !== undefined && { min }),
			...(max !== undefined && { max }),
		};
	},
};

/** The structural dissimilarity that imgproxy's page leads to, (1 - SSIM) / 2: 0 is alike, 1 the opposite. */
function ssimOf(name: string, text: string): number {
	const dssim = text === '' ? usualDssim : number(name, text, 0, 1);
	return Math.max(leastSsim, Math.min(Math.round((1 - 2 * dssim) * 1e4) / 1e4, mostSsim));
}

/** A quality as encoders take it. A bound that the address gives moves a usual one that contradicts it. */
export function targetFor({ goal, min, max }: Autoquality, format: string): Readonly<Record<string, unknown>> {
	const usual = format === 'avif' ? usualAvifBounds : usualBounds;
	const bounds = {
		min: min ?? Math.min(usual.min, max ?? usual.min),
		max: max ?? Math.max(usual.max, min ?? usual.max),
	};
	return { ...goal, ...bounds, ...('maxBytes' in goal && { orSmallest: true }) };
}
