import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.ts';

/** Where packages put the library (`node scripts/setup.mjs test` installs it). */
const library = [
	'/usr/lib',
	'/usr/lib64',
	'/usr/local/lib',
	`/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
]
	.map((folder) => join(folder, 'faketime/libfaketimeMT.so.1'))
	.find((file) => existsSync(file));

/** A clock that a test can set for its processes and all their children. */
export interface Clock {
	/** For the processes' environment. */
	readonly environment: Readonly<Record<string, string>>;
	/** Sets it, while they run. @param hours from the true time; 0 is true */
	jump(hours: number): void;
}

/** @throws Error where libfaketime is missing */
export async function openClock(): Promise<Clock> {
	if (!library) throw new Error('Expected libfaketime: install it (Debian: apt-get install libfaketime).');
	const folder = await temporaryFolder();
	const file = join(folder, 'clock');
	const jump = (hours: number) => {
		// Renamed, so that a reader never sees half a line.
		writeFileSync(`${file}.next`, `${hours < 0 ? '' : '+'}${hours}h\n`);
		renameSync(`${file}.next`, file);
	};
	jump(0);
	return {
		environment: {
			LD_PRELOAD: library,
			FAKETIME_TIMESTAMP_FILE: file,
			// Read every second; reading it each time would slow everything down.
			FAKETIME_CACHE_DURATION: '1',
			// As if someone set the clock: timers continue unchanged.
			FAKETIME_DONT_FAKE_MONOTONIC: '1',
		},
		jump,
	};
}
