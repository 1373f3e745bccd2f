import { integer, setting } from './kinds.ts';
import { memory } from './memory.ts';

/** How much of the machine a worker uses. */
export const imaging = {
	title: 'CPU and memory',
	settings: {
		imagingProcesses: {
			...setting(
				'PICPIPE_IMAGING_PROCESSES',
				integer(1, 256, 'processes'),
				memory.imagingProcesses,
				'Most imaging processes of a worker. Each works on one picture at a time, and is started when it is first needed.',
			),
			defaultNote: 'one per core and 400 MB of memory',
		},
		jobsAhead: setting(
			'PICPIPE_JOBS_AHEAD',
			integer(0, 100, 'jobs'),
			2,
			'Jobs that a worker takes beyond its imaging processes. It takes up to 32 by itself while Redis or the storage answers slowly.',
		),
		sharpThreads: setting(
			'PICPIPE_SHARP_THREADS',
			integer(1, 64, 'threads'),
			1,
			'libvips threads of each imaging process (`sharp.concurrency`). One thread and one process per core is fastest.',
		),
		megapixelsInFlight: {
			...setting(
				'PICPIPE_MEGAPIXELS_IN_FLIGHT',
				integer(1, 1_000_000, 'million pixels'),
				memory.megapixelsInFlight,
				'Pixels that all imaging processes of a worker may hold together; further pictures wait.',
			),
			defaultNote: 'a quarter of the memory at 16 bytes a pixel',
		},
		keptMegabytes: {
			...setting(
				'PICPIPE_KEPT_MEGABYTES',
				integer(0, 100_000, 'MB'),
				memory.keptMegabytes,
				'Cache of each imaging process for originals, and intermediates of them, rendered in the last 30 s. 0 turns it off.',
			),
			defaultNote: '128; below 4 GB of memory a thirty-second of it',
		},
		imagingMegabytes: {
			...setting(
				'PICPIPE_IMAGING_MEGABYTES',
				integer(64, 1_000_000, 'MB'),
				memory.imagingMegabytes,
				'Resident memory above which an imaging process is replaced between pictures.',
			),
			defaultNote: '1,024; below 2 GB of memory half of it',
		},
		imagingPictures: setting(
			'PICPIPE_IMAGING_PICTURES',
			integer(1, 1_000_000, 'pictures'),
			150,
			'Pictures after which an imaging process is replaced, which returns the memory that decoders hold back.',
		),
	},
	notes: [
		`A picture counts towards \`PICPIPE_MEGAPIXELS_IN_FLIGHT\` with its own pixels or with those of its largest variant, whichever is more. A
picture above the limit runs alone. A replacement process is ready before the old one ends.`,
		`The defaults follow from the memory of the machine, or from the limit of its control group (containers). \`picpipe start\` shows what it chose.
Below 1.5 GB it also runs its processes for little memory instead of speed.`,
	],
} as const;
