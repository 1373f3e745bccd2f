import { type ErrorCode, PicpipeError } from '../../errors.ts';

/** Where sharp was when it threw: reading the original's header or pixels, or working on pixels already decoded. */
export type Stage = 'inspect' | 'decode' | 'work';

interface Rule {
	/** Found in the message of sharp, libvips or the codec library. */
	readonly pattern: RegExp;
	readonly code: ErrorCode;
	readonly sentence: string;
}

/** The first rule that matches decides. Seen in sharp 0.35 with libvips 8.18. */
const rules: readonly Rule[] = [
	{
		pattern: /too large for the (\w+) format|parameter width not set|image too wide or (high|tall)/i,
		code: 'output-too-large',
		sentence: 'A variant would be larger than its format allows.',
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
		sentence: 'There was not enough memory for the picture.',
	},
	{
		// glib and libvips, where a thread or a file can't be had.
		pattern: /creating thread|create thread|temporarily unavailable|too many open files/i,
		code: 'internal',
		sentence: 'The system had no room for another thread or file.',
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
			/unsupported (jpeg process|marker|codec|feature|compression|image type|bit depth|color|photometric)|not (been )?configured|no decoding plugin|compression scheme .* not|arithmetic coding|not implemented/i,
		code: 'unsupported-feature',
		sentence: 'The picture is compressed or laid out in a way that is not supported.',
	},
];

/** What to say about a file that stops too early. */
export const endsEarly = 'The picture ends too early: a part of the file is missing.';

/** Words of the codec libraries for a file that stops too early. */
const endsEarlyWords =
	/premature end|unexpected end|not enough data|end of (file|data|stream)|bad seek|too short|read error/i;

/**
 * The one place that turns an error of sharp into ours. What no rule knows is the picture's fault while it is being
 * decoded, because nothing else can go wrong there, and ours afterwards.
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

export function corrupt(sentence: string, step: string, cause?: unknown): PicpipeError {
	return new PicpipeError('corrupt-picture', sentence, { cause, step });
}
