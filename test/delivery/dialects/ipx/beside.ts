import { createIPX } from 'ipx';
import sharp from 'sharp';
import {
	type RenderFormat,
	type RenderPlan,
	renderFormats,
	type SourceFacts,
} from '../../../../src/delivery/dialects/image-request.ts';
import { parseIpx } from '../../../../src/delivery/dialects/ipx.ts';
import { make } from '../../../pipeline/make.ts';

/** An id for addresses. */
export const id = 'pic_01h455vb4pex5vsknk084sn02q';

/** The plan that modifiers make for a picture. */
export function planOf(modifiers: string, facts: Partial<SourceFacts> = {}): RenderPlan {
	const { target } = parseIpx(`/${modifiers}/${id}`, { presets: new Map() });
	if (target.kind !== 'render') throw new TypeError(`Expected a render but received ${target.kind}.`);
	return target.plan({ width: 640, height: 480, frames: 1, alpha: false, format: 'jpeg', ...facts });
}

/** A plan as a recipe. @param format of the original */
export function recipeOf(plan: RenderPlan, format: RenderFormat): unknown {
	return { variants: { render: { steps: plan.steps, encode: [{ [format]: plan.encode?.(format) ?? {} }] } } };
}

/** The format in which a render is written for one who names none. */
function formatOf({ format }: RenderPlan, source: string): RenderFormat {
	const known = renderFormats.find((one) => one === (format === 'source' ? source : format));
	if (!known) throw new TypeError(`Expected a format but received ${format}.`);
	return known;
}

export interface Answer {
	readonly data: Buffer;
	readonly format: string;
	readonly width: number;
	readonly height: number;
	/** Frames. */
	readonly frames: number;
	readonly isProgressive: boolean;
}

async function answerOf(data: Buffer): Promise<Answer> {
	const {
		format,
		width,
		height,
		pages = 1,
		pageHeight,
		isProgressive,
		mediaType,
	} = await sharp(data, {
		animated: true,
	}).metadata();
	return {
		data,
		format: mediaType === 'image/avif' ? 'avif' : format,
		width,
		height: pageHeight ?? height,
		frames: pages,
		isProgressive: isProgressive === true,
	};
}

const svg = { maxBytes: 1_000_000, maxElements: 1_000 };

/** What picpipe's engine makes of a picture. */
export async function ours(modifiers: string, file: Buffer): Promise<Answer> {
	const {
		width,
		height,
		pages = 1,
		pageHeight,
		hasAlpha,
		format,
		autoOrient,
	} = await sharp(file, {
		animated: true,
	}).metadata();
	const upright = pages > 1 ? { width, height: pageHeight ?? height } : { ...autoOrient };
	const source = format === 'heif' ? 'avif' : format;
	const plan = planOf(modifiers, { ...upright, frames: pages, alpha: hasAlpha, format: source });
	const { outputs } = await make(file, recipeOf(plan, formatOf(plan, source)), { svg });
	return answerOf(outputs[0]?.data ?? Buffer.alloc(0));
}

/** What ipx itself makes of it. @throws whatever ipx throws */
export async function theirs(modifiers: string, file: Buffer): Promise<Answer> {
	const ipx = createIPX({
		storage: { name: 'memory', getMeta: async () => ({}), getData: async () => Uint8Array.from(file).buffer },
	});
	const words = modifiers === '_' ? [] : modifiers.split(',');
	const given = Object.fromEntries(
		words.map((word) => {
			const [name = '', ...values] = word.split('_');
			return [name, decodeURIComponent(values.join('_'))];
		}),
	);
	const { data } = await ipx('/picture', given).process();
	return answerOf(Buffer.from(data));
}

/** Mean absolute difference of all channels of all pixels of two pictures of one size, 0 to 255. */
export async function difference(one: Buffer, other: Buffer): Promise<number> {
	const pixels = (data: Buffer) =>
		sharp(data, { animated: true }).toColourspace('srgb').ensureAlpha().raw().toBuffer({ resolveWithObject: true });
	const [a, b] = await Promise.all([pixels(one), pixels(other)]);
	if (a.data.length !== b.data.length) throw new TypeError('Expected pictures of one size.');
	// What can't be seen has no colour.
	let sum = 0;
	for (let at = 0; at < a.data.length; at += 4) {
		const [alphaA = 0, alphaB = 0] = [a.data[at + 3], b.data[at + 3]];
		for (let channel = 0; channel < 3; channel++) {
			sum += Math.abs(((a.data[at + channel] ?? 0) * alphaA - (b.data[at + channel] ?? 0) * alphaB) / 255);
		}
		sum += Math.abs(alphaA - alphaB);
	}
	return sum / a.data.length;
}
