import { isGood, type Result, type Standing, uploadLine } from './summary.ts';

/** Interval between two redraws, milliseconds: as fast as the eye can follow. */
const drawEvery = 100;

/** Shows the progress of a run on standard error: one live line in a terminal, one line per file elsewhere. */
export interface Progress {
	/** @param bytes of the item that have been sent so far */
	sent(name: string, bytes: number): void;
	/** As `sent`, for bytes from before this run. */
	wasThere(name: string, bytes: number): void;
	ended(result: Result): void;
	/** Prints a message between the progress lines. */
	note(text: string): void;
	close(): void;
}

export function showProgress(total: number, totalBytes: number): Progress {
	const { stderr } = process;
	const started = performance.now();
	const bytesOf = new Map<string, number>();
	let done = 0;
	let bytesBefore = 0;
	let note = '';
	const standing = (): Standing => ({
		done,
		total,
		bytes: [...bytesOf.values()].reduce((sum, bytes) => sum + bytes, 0),
		totalBytes,
		bytesBefore,
		seconds: (performance.now() - started) / 1_000,
		note,
	});
	const draw = () => stderr.write(`\r\x1b[K${uploadLine(standing(), stderr.columns)}`);
	const timer = stderr.isTTY ? setInterval(draw, drawEvery) : undefined;
	const say = (text: string) => stderr.write(stderr.isTTY ? `\r\x1b[K${text}\n` : `${text}\n`);
	return {
		sent(name, bytes) {
			bytesOf.set(name, bytes);
			note = name;
		},
		wasThere(name, bytes) {
			bytesBefore += bytes;
			bytesOf.set(name, bytes);
		},
		ended(result) {
			done++;
			const { name, picture, state, problem } = result;
			if (!stderr.isTTY)
				say(`${done}/${total} ${isGood(result) ? 'done' : state} ${name}${picture ? ` ${picture}` : ''}`);
			else if (problem) say(`${state}: ${name}: ${problem.detail}`);
		},
		note(text) {
			note = text;
			if (!stderr.isTTY) say(text);
		},
		close() {
			clearInterval(timer);
			if (stderr.isTTY) stderr.write('\r\x1b[K');
		},
	};
}
