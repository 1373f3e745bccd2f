import { availableParallelism, totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';
import { integer, setting } from './kinds.ts';

/** Memory available to this process, bytes: the limit of the control group where there is one. */
function usableMemory(): number {
	const constrained = constrainedMemory();
	return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

/**
 * Memory of a decoded pixel at work, bytes: four 8-bit channels, held by the decoder, by a resize and by an encoder at the same
 * time, rounded up.
 */
const bytesPerPixelInWork = 16;
/** A quarter of the memory for pixels leaves room for Redis, the page cache and what allocators hold back. */
const defaultMegapixelsInFlight = Math.max(1, Math.floor(usableMemory() / 4 / bytesPerPixelInWork / 1e6));

/** How much of the machine a worker uses. */
export const imaging = {
	title: 'CPU and memory',
	settings: {
		imagingProcesses: {
			...setting(
				'PICPIPE_IMAGING_PROCESSES',
				integer(1, 256, 'processes'),
				availableParallelism(),
				'Imaging processes of a worker. Each works on one picture at a time.',
			),
			defaultNote: 'one per core',
		},
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
				defaultMegapixelsInFlight,
				'Pixels that all imaging processes of a worker may hold together; further pictures wait.',
			),
			defaultNote: 'a quarter of the memory at 16 bytes a pixel',
		},
		keptMegabytes: setting(
			'PICPIPE_KEPT_MEGABYTES',
			integer(0, 100_000, 'MB'),
			128,
			'Cache of each imaging process for originals, and intermediates of them, rendered in the last 30 s. 0 turns it off.',
		),
		imagingMegabytes: setting(
			'PICPIPE_IMAGING_MEGABYTES',
			integer(64, 1_000_000, 'MB'),
			1_024,
			'Resident memory above which an imaging process is replaced between pictures.',
		),
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
	],
} as const;
