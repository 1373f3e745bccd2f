import { type Encoder, isChooser } from '../encoders/index.ts';
import { targetOf } from '../encoders/quality.ts';
import type { Inspected } from '../inspect/inspect.ts';
import type { PlannedEncoding, PlannedVariant } from '../recipe/parse-recipe.ts';
import type { LevelVariant, PlannedPass } from './plan-chain.ts';
import type { PyramidLevel } from './pyramid.ts';

/** Work that decoder, scaler and encoder can do in one sharp pipeline. */
export interface SinglePass {
	readonly variant: LevelVariant;
	readonly pass: PlannedPass;
	readonly encoding: PlannedEncoding;
	/** The encoder of `encoding`. */
	readonly encoder: Encoder;
}

/**
 * Finds out whether a level can be rendered in a single pass: it has one encoding of a scaled photograph, which may be cropped at its sides. Pixels
 * then need no hand-over between two pipelines, which saves a twentieth of the time (docs/benchmarks.md).
 *
 * @param picture the page that the level shows
 * @param intermediate the level that other sizes are made from, if there is one. Its own pixels are needed, so it is never rendered in a single pass;
 * a level that is made from it begins with pixels that are known to be undamaged
 */
export function findSinglePass(
	level: PyramidLevel,
	levels: readonly PyramidLevel[],
	picture: Inspected,
	intermediate?: PyramidLevel,
): SinglePass | undefined {
	const [variant, ...otherVariants] = level.variants;
	const isAlone =
		level !== intermediate &&
		level.base === intermediate &&
		otherVariants.length + level.analyse.length === 0 &&
		!levels.some(({ base }) => base === level);
	if (!variant || !isAlone) return undefined;
	if (intermediate ? picture.facts.alpha : !isPlainPhotograph(picture)) return undefined;
	const [pass, ...otherPasses] = variant.passes;
	const [encoding, ...otherEncodings] = variant.variant.encodings;
	const isPlain =
		otherPasses.length + otherEncodings.length + variant.chained.length === 0 &&
		variant.deferred === undefined &&
		(variant.variant.output.colour ?? 'srgb') === 'srgb' &&
		pass?.operation.name === 'resize' &&
		isScaled(pass) &&
		(intermediate !== undefined || isReadWhole(pass, picture));
	if (!isPlain || !pass || !encoding || isChooser(encoding.encoder) || targetOf(encoding.options)) return undefined;
	if (keepsGainMap(variant.variant, encoding.encoder.name, picture)) return undefined;
	// Beyond the format's largest side, its pixels are scaled down once more.
	if (Math.max(variant.output.width, variant.output.height) > encoding.encoder.maximumSide) return undefined;
	// It would get the resolution of the original, which `metadata` decides about.
	if (encoding.encoder.name === 'png' && !intermediate) return undefined;
	return { variant, pass, encoding, encoder: encoding.encoder };
}

/** Whether an encoding is to keep the gain map of a picture, which is made from the file and not from pixels. */
export function keepsGainMap({ output }: PlannedVariant, encoder: string, { facts }: Inspected): boolean {
	return output.hdr === 'keep' && encoder === 'jpeg' && facts.gainMap === true;
}

function isScaled({ operation, options, input }: PlannedPass): boolean {
	const { sufficientScale, addsAlpha = false } = operation.predict(input, options);
	return sufficientScale !== undefined && !addsAlpha;
}

/** The first EXIF orientation for which sharp rotates. Before a crop, it then holds the whole scaled picture (`StaySequential` in its pipeline.cc). */
const firstRotated = 3;

/** When the top or bottom is cropped, a decoder may stop reading at the edge and miss that the file ends early. This tells whether it reads to the end. */
function isReadWhole({ operation, options, input }: PlannedPass, { facts }: Inspected): boolean {
	const { sufficientScale, output } = operation.predict(input, options);
	return (
		sufficientScale !== undefined && (sufficientScale.height <= output.height || facts.orientation >= firstRotated)
	);
}

/** A photograph whose pixels are used as the decoder returns them: no alpha to flatten, no further frames, no other bit depth or colour space. */
function isPlainPhotograph({ format, facts, profile, meaning, isAsStored }: Inspected): boolean {
	const isStill = format === 'jpeg' || (format === 'webp' && facts.frames === 1);
	// An encoder that gets the file's own pixels would write its orientation beside metadata that is kept.
	const isInSrgb = facts.colourSpace === 'srgb' && (profile === undefined || meaning === 'srgb');
	return isStill && !isAsStored && isInSrgb && !facts.alpha;
}
