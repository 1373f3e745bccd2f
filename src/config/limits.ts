import { integer, setting, yesOrNo } from './kinds.ts';

/** Limits of uploads, and lifetimes of stored data. */
export const limits = {
	title: 'Upload limits',
	settings: {
		maxBytes: setting(
			'PICPIPE_MAX_BYTES',
			integer(1, 2 ** 40, 'bytes'),
			100 * 1024 * 1024,
			'Maximum size of a picture file.',
		),
		maxFiles: setting('PICPIPE_MAX_FILES', integer(1, 10_000, 'files'), 100, 'Maximum files in one upload.'),
		maxMegapixels: setting(
			'PICPIPE_MAX_MEGAPIXELS',
			integer(1, 10_000, 'million pixels'),
			50,
			'Maximum pixels in memory at once: width × height, and × frames. Larger animations are read a few frames at a time.',
		),
		maxDimension: setting(
			'PICPIPE_MAX_DIMENSION',
			integer(1, 1_000_000, 'pixels'),
			30_000,
			'Maximum width or height of a picture.',
		),
		maxFrames: setting(
			'PICPIPE_MAX_FRAMES',
			integer(1, 100_000, 'frames'),
			1_000,
			'Maximum frames or pages of a picture.',
		),
		svg: setting(
			'PICPIPE_SVG',
			yesOrNo,
			'false',
			'Accepts SVG. Files that refer to anything outside themselves are refused; only imaging processes draw SVG.',
		),
		maxSvgBytes: setting(
			'PICPIPE_MAX_SVG_BYTES',
			integer(1, 10_000_000, 'bytes'),
			5_000_000,
			'Maximum size of an SVG file. The renderer accepts at most 10 million bytes.',
		),
		maxSvgElements: setting(
			'PICPIPE_MAX_SVG_ELEMENTS',
			integer(1, 1_000_000, 'elements'),
			100_000,
			'Maximum elements of an SVG. Each takes about 1,300 bytes of memory before drawing; the renderer accepts at most a million.',
		),
		pictureSeconds: setting(
			'PICPIPE_PICTURE_SECONDS',
			integer(1, 86_400, 'seconds'),
			60,
			'Maximum time an imaging process works on one picture before it is killed.',
		),
		uploadSeconds: setting(
			'PICPIPE_UPLOAD_SECONDS',
			integer(1, 86_400, 'seconds'),
			600,
			'Maximum duration of one upload request.',
		),
		abandonedSeconds: setting(
			'PICPIPE_ABANDONED_SECONDS',
			integer(1, 604_800, 'seconds'),
			3_600,
			'Age at which workers clean up an upload whose process was killed. Must exceed `PICPIPE_UPLOAD_SECONDS`.',
		),
		resumableSeconds: setting(
			'PICPIPE_RESUMABLE_SECONDS',
			integer(1, 2_592_000, 'seconds'),
			86_400,
			'How long an unfinished upload can be resumed. A finished upload reports its picture id for the same time.',
		),
		unfinished: setting(
			'PICPIPE_UNFINISHED',
			integer(1, 10_000_000, 'uploads'),
			10_000,
			'Unfinished resumable uploads in all, partial ones included. More are refused with 507.',
		),
		unfinishedBytes: setting(
			'PICPIPE_UNFINISHED_BYTES',
			integer(1, 2 ** 50, 'bytes'),
			50 * 1024 ** 3,
			'Bytes of all unfinished resumable uploads, each with its whole length. More are refused with 507. At least `PICPIPE_MAX_BYTES`.',
		),
		keyUnfinished: setting(
			'PICPIPE_KEY_UNFINISHED',
			integer(1, 10_000_000, 'uploads'),
			1_000,
			'Unfinished resumable uploads of one group of keys. More are refused with 429.',
		),
		keyUnfinishedBytes: setting(
			'PICPIPE_KEY_UNFINISHED_BYTES',
			integer(1, 2 ** 50, 'bytes'),
			10 * 1024 ** 3,
			'Bytes of the unfinished resumable uploads of one group of keys. More are refused with 429. At least `PICPIPE_MAX_BYTES`.',
		),
		tokenUnfinished: setting(
			'PICPIPE_TOKEN_UNFINISHED',
			integer(1, 10_000_000, 'uploads'),
			200,
			'Unfinished and refused resumable uploads of one upload token, or twice its pictures if that is more. More are refused with 429.',
		),
		tokenUnfinishedFiles: setting(
			'PICPIPE_TOKEN_UNFINISHED_FILES',
			integer(1, 10_000, 'files'),
			20,
			"Bytes of one token's unfinished resumable uploads, in files of its largest size. More are refused with 429.",
		),
		idempotencySeconds: setting(
			'PICPIPE_IDEMPOTENCY_SECONDS',
			integer(1, 2_592_000, 'seconds'),
			86_400,
			'How long the response to a request with an `Idempotency-Key` is repeated. Afterwards the key counts as new.',
		),
		batchSeconds: setting(
			'PICPIPE_BATCH_SECONDS',
			integer(60, 31_536_000, 'seconds'),
			604_800,
			'How long a batch stays open; it then closes by itself.',
		),
	},
} as const;
