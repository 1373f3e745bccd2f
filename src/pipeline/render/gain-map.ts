import sharp, { type Sharp } from 'sharp';
import { findOperation } from '../../operations/index.ts';
import { passesOf, type Size } from '../../operations/operation.ts';
import { isStrategy } from '../../operations/options.ts';
import { withDensity } from '../encoders/encoder.ts';
import type { Inspected } from '../inspect/inspect.ts';
import { inputOptions, withGainMapLoader } from '../inspect/sharp-input.ts';
import type { Attach } from '../metadata/metadata.ts';
import type { PlannedPass } from '../plan/plan-chain.ts';
import type { PlannedVariant } from '../recipe/parse-recipe.ts';
import { type EncodedVariant, runEncoder } from './encode-variant.ts';
import { noAssets } from './render-context.ts';

/*
 * Ultra HDR: a JPEG for every screen with a second, smaller picture, the gain map, that says how much brighter each part is on a bright screen (ISO
 * 21496-1). sharp takes a gain map from a file to a JPEG in a single pipeline, and does with it what it does with the picture. So these variants are
 * made from the file once more. Recipes accept it for steps that sharp can do that with (`parse-recipe.ts`).
 */

/** Quality of the pictures between two steps. sharp has no other format that holds a gain map. */
const betweenSteps = 100;

/** The options of JPEG that count, and what adds the metadata of the variant. */
interface GainMapOutput {
	readonly quality: number;
	readonly density?: number | undefined;
	readonly attach: Attach | undefined;
}

/**
 * Encodes a variant as JPEG with the gain map of the original.
 *
 * @param picture an intact picture with a gain map, upright or as stored
 * @throws an error of sharp if it cannot
 */
export async function encodeWithGainMap(
	file: Buffer,
	picture: Inspected,
	{ definition, output: { colour = 'srgb' } }: PlannedVariant,
	{ quality, density, attach }: GainMapOutput,
): Promise<EncodedVariant> {
	const { facts } = picture;
	const passes = passesFor(definition, facts);
	const opened = (bytes: Buffer, size: Size, isOriginal: boolean) => {
		// See `withGainMapLoader`.
		const options = { ...inputOptions('error', size.width * size.height), sequentialRead: false };
		const autoOrient = isOriginal && !picture.isAsStored;
		const image = sharp(bytes, { ...options, autoOrient });
		return colour === 'srgb' ? image : image.keepIccProfile();
	};
	return withGainMapLoader(async () => {
		let bytes = file;
		const further = async (image: Sharp) => {
			bytes = await image.jpeg({ quality: betweenSteps }).toBuffer();
		};
		const isTurnedFirst = facts.orientation > 1 && !isScaling(passes[0]);
		if (isTurnedFirst && passes.length > 0) await further(keepingGainMap(opened(bytes, facts, true)));
		const isOriginal = () => bytes === file;
		for (const pass of passes.slice(0, -1))
			await further(await applied(pass, () => opened(bytes, pass.input, isOriginal())));
		const last = passes.at(-1);
		const open = () => opened(bytes, last?.input ?? facts, isOriginal());
		const image = last ? await applied(last, open) : keepingGainMap(open());
		const made = await runEncoder(withDensity(attach ? attach(image) : image, density).jpeg({ quality }));
		const { gainMap } = await sharp(made.data).metadata();
		if (!gainMap) throw new Error('Expected a gain map in the JPEG but there is none.');
		return made;
	});
}

/** sharp applies the EXIF orientation after a scaling. Before anything else it would mirror a gain map in the wrong order. */
function isScaling(pass: PlannedPass | undefined): boolean {
	return pass?.operation.name === 'resize' && !isStrategy((pass.options as { position: string }).position);
}

function passesFor(definition: PlannedVariant['definition'], whole: Size): readonly PlannedPass[] {
	const steps = definition.flatMap((step) =>
		Object.entries(step).map(([name, options]) => {
			const operation = findOperation(name);
			if (!operation) throw new TypeError(`Expected an operation ${name}.`);
			return { operation, options };
		}),
	);
	return [...passesOf(steps, whole)];
}

/** The types of sharp 0.35 lack this method, which its documentation has. */
function keepingGainMap(image: Sharp): Sharp {
	return (image as Sharp & { keepGainMap(): Sharp }).keepGainMap();
}

/** sharp keeps no gain map where it looks for the part to keep, so that is found first. */
async function applied({ operation, options, input }: PlannedPass, open: () => Sharp): Promise<Sharp> {
	const { position } = options as { readonly position?: string };
	if (position !== undefined && isStrategy(position)) {
		const looked = await operation.apply(open(), options, input, noAssets);
		const { info } = await looked.raw().toBuffer({ resolveWithObject: true });
		const repeat = await operation.repeat?.(options, input, info, open());
		if (repeat) return repeat(keepingGainMap(open()));
	}
	return operation.apply(keepingGainMap(open()), options, input, noAssets);
}
