import { type Encoder, isChooser } from '../encoders/index.ts';
import { targetOf } from '../encoders/quality.ts';
import type { Inspected } from '../inspect/inspect.ts';
import type { PlannedEncoding } from '../recipe/plan.ts';
import type { Level, LevelVariant, Pass } from './levels.ts';

/** What decoder, scaler and encoder can do as one. */
export interface Direct {
	readonly variant: LevelVariant;
	readonly pass: Pass;
	readonly encoding: PlannedEncoding;
	/** That of the encoding. */
	readonly encoder: Encoder;
}

/**
 * The only thing that is made of a level, where it is one encoding of a photograph that was scaled, and perhaps cut at its sides. Its pixels need not be handed over between
 * two pipelines, which is worth a twentieth of its time (docs/benchmarks.md).
 *
 * @param picture the page that the level is of
 * @param copy what other sizes shall be made of: then it is wanted itself, and what is made of it begins with pixels that are known to be whole
 */
export function directOf(level: Level, levels: readonly Level[], picture: Inspected, copy?: Level): Direct | undefined {
	const [variant, ...otherVariants] = level.variants;
	const isAlone =
		level !== copy &&
		level.base === copy &&
		otherVariants.length + level.analyse.length === 0 &&
		!levels.some(({ base }) => base === level);
	if (!variant || !isAlone) return undefined;
	if (copy ? picture.facts.alpha : !isPlainPhotograph(picture)) return undefined;
	const [pass, ...otherPasses] = variant.passes;
	const [encoding, ...otherEncodings] = variant.variant.encodings;
	const isPlain =
		otherPasses.length + otherEncodings.length + variant.chained.length === 0 &&
		variant.later === undefined &&
		(variant.variant.output.colour ?? 'srgb') === 'srgb' &&
		pass?.operation.name === 'resize' &&
		isScaled(pass) &&
		(copy !== undefined || isReadWhole(pass, picture));
	if (!isPlain || !pass || !encoding || isChooser(encoding.encoder) || targetOf(encoding.options)) return undefined;
	return { variant, pass, encoding, encoder: encoding.encoder };
}

function isScaled({ operation, options, input }: Pass): boolean {
	const { enough, addsAlpha = false } = operation.predict(input, options);
	return enough !== undefined && !addsAlpha;
}

/** The first EXIF orientation for which sharp rotates: before it cuts anything, it holds all of the scaled picture then (`StaySequential` in its pipeline.cc). */
const firstRotated = 3;

/** Of a picture that is cut above or below, a decoder may read no further than to the edge, and not see that the file ends early; unless all of it is read first. */
function isReadWhole({ operation, options, input }: Pass, { facts }: Inspected): boolean {
	const { enough, output } = operation.predict(input, options);
	return enough !== undefined && (enough.height <= output.height || facts.orientation >= firstRotated);
}

/** One whose pixels are what its decoder gives: no alpha to be put on a background, no further frames, no numbers of another kind or meaning. */
function isPlainPhotograph({ format, facts, profile, meaning, isAsStored }: Inspected): boolean {
	const isStill = format === 'jpeg' || (format === 'webp' && facts.frames === 1);
	// An encoder that gets the file's own pixels would write its orientation beside metadata that is kept.
	const isInSrgb = facts.colourSpace === 'srgb' && (profile === undefined || meaning === 'srgb');
	return isStill && !isAsStored && isInSrgb && !facts.alpha;
}
