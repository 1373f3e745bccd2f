import { type ErrorCode, PicpipeError } from '../../errors.ts';

/** The stage at which sharp failed: reading the header of the original, decoding it, or working on decoded pixels. */
export type Stage = 'inspect' | 'decode' | 'work';

interface Rule {
	/** Matches the message of sharp, libvips or the codec library. */
	readonly pattern: RegExp;
	readonly code: ErrorCode;
	readonly sentence: string;
}

/** The first matching rule decides. Messages of sharp 0.35 with libvips 8.18. */
const rules: readonly Rule[] = [
	{
		pattern: /too large for the (\w+) format|parameter width not set|image too wide or (high|tall)/i,
		code: 'output-too-large',
		sentence: 'A variant would exceed the size limit of its format.',
	},
	{
		// libheif on grids of AVIF and HEIC.
		pattern: /different chroma format|wrong tile image/i,
		code: 'unsupported-feature',
		sentence: 'The tiles of the picture have different kinds of colours, which is not supported.',
	},
	{
		pattern:
			/exceeds pixel limit|security limit|exceeds user limit|maximum (image )?size|dimensions? (are|is) too large/i,
		code: 'too-many-pixels',
		sentence: 'The picture declares more pixels than allowed.',
	},
	{
		pattern: /out of memory|cannot allocate|unable to allocate|std::bad_alloc|insufficient memory/i,
		code: 'internal',
		sentence: 'There is not enough memory for the picture.',
	},
	{
		// glib and libvips, if no thread or file can be opened.
		pattern: /creating thread|create thread|temporarily unavailable|too many open files/i,
		code: 'internal',
		sentence: 'The system cannot open another thread or file.',
	},
	{
		pattern: /bad dimensions|zero-sized image/i,
		code: 'corrupt-picture',
		sentence: 'The picture has no width or no height.',
	},
	{
		pattern: /channel limit/i,
		code: 'unsupported-feature',
		sentence: 'The picture has more colour channels than are supported.',
	},
	{
		pattern:
			/unsupported (jpeg process|marker|codec|feature|compression|image type|bit depth|color|photometric)|not (been )?configured|no decoding plugin|compression scheme .* not|arithmetic coding|not implemented|no known route/i,
		code: 'unsupported-feature',
		sentence: 'The compression or layout of the picture is not supported.',
	},
];

/** The detail for a file that ends too early. */
export const endsEarly = 'The picture ends too early: part of the file is missing.';

/** Messages of the codec libraries for a file that ends too early. libjpeg's "premature end of data segment" is about data in the middle. */
const endsEarlyWords =
	/premature end(?! of data segment)|unexpected end|not enough data|end of (file|data(?! segment)|stream)|bad seek|too short|read error/i;

/**
 * The only place that converts errors of sharp. An error without a rule is the picture's fault while it is decoded, because nothing
 * else can go wrong there, and an internal error afterwards.
 */
export function classifyError(error: unknown, stage: Stage, step: string): PicpipeError {
	if (error instanceof PicpipeError) return error;
	const message = error instanceof Error ? error.message : String(error);
	const rule = rules.find(({ pattern }) => pattern.test(message));
	if (rule) return new PicpipeError(rule.code, rule.sentence, { cause: error, step });
	if (stage === 'work') return new PicpipeError('internal', undefined, { cause: error, step });
	return corrupt(
		endsEarlyWords.test(message) ? endsEarly : 'The picture is damaged and cannot be decoded.',
		step,
		error,
	);
}

/** An error about a damaged picture. */
export function corrupt(sentence: string, step: string, cause?: unknown): PicpipeError {
	return new PicpipeError('corrupt-picture', sentence, { cause, step });
}
