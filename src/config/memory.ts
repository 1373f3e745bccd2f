import { availableParallelism, totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';

/** Defaults that follow from the memory of the machine, so that picpipe runs on a small one without any setting. */

/** Below this, bytes, the processes of `picpipe start` are run for little memory instead of speed. */
const smallBelow = 1.5e9;
/** An imaging process that decodes and scales a photograph of 12 megapixels, with its share of all the rest, bytes. */
const bytesPerImagingProcess = 400e6;
/**
 * Memory of a decoded pixel at work, bytes: four 8-bit channels, held by the decoder, by a resize and by an encoder at the same
 * time, rounded up.
 */
const bytesPerPixelInWork = 16;

/** What a process may use, and the defaults that follow from it. */
export interface MemoryProfile {
	/** Usable bytes. */
	readonly bytes: number;
	/** The limit is that of a control group, such as a container's. */
	readonly isLimited: boolean;
	/** Whether processes are run for little memory instead of speed. */
	readonly isSmall: boolean;
	readonly imagingProcesses: number;
	/** A quarter of the memory: the rest is for Redis, the page cache and what allocators hold back. Millions. */
	readonly megapixelsInFlight: number;
	/** Cache of each imaging process, MB. */
	readonly keptMegabytes: number;
	/** Resident memory at which an imaging process is replaced, MB. */
	readonly imagingMegabytes: number;
	/** Cache of the API, MB. */
	readonly deliveryMegabytes: number;
}

/** @param limit of the control group, bytes; 0 or more than the total without one */
export function memoryProfile(total: number, limit: number, cores: number): MemoryProfile {
	const isLimited = limit > 0 && limit < total;
	const bytes = isLimited ? limit : total;
	const megabytes = bytes / 1e6;
	return {
		bytes,
		isLimited,
		isSmall: bytes < smallBelow,
		imagingProcesses: between(1, bytes / bytesPerImagingProcess, cores),
		megapixelsInFlight: Math.max(1, Math.floor(megabytes / 4 / bytesPerPixelInWork)),
		keptMegabytes: between(16, megabytes / 32, 128),
		imagingMegabytes: between(128, megabytes / 2, 1_024),
		deliveryMegabytes: between(16, megabytes / 32, 64),
	};
}

function between(least: number, value: number, most: number): number {
	return Math.floor(Math.max(least, Math.min(value, most)));
}

/** The profile of this process. */
export const memory = memoryProfile(totalmem(), constrainedMemory(), availableParallelism());
