import type { DestinationStream } from 'pino';

/** Where the supervisor writes the lines of its processes. */
export interface Output {
	/** @param isError whether it was written to standard error */
	line(process: string, text: string, isError: boolean): void;
	/** Shown unchanged to a person; dropped where machines read. */
	text(text: string): void;
	/** For the supervisor's own logger. */
	readonly destination: DestinationStream;
	readonly isTerminal: boolean;
}

/** Length of the longest process name. */
const nameWidth = 6;
/** ANSI colours, one for each process. */
const colours: Record<string, number> = { start: 90, redis: 31, api: 36, watch: 32, worker: 33, arena: 35 };

/** Readable lines with a prefix in a terminal; elsewhere the processes' own JSON lines, unchanged. */
export async function createOutput(): Promise<Output> {
	return process.stdout.isTTY ? terminalOutput() : plainOutput();
}

function plainOutput(): Output {
	return {
		line: (_process, text, isError) => (isError ? process.stderr : process.stdout).write(`${text}\n`),
		text: () => {},
		destination: process.stdout,
		isTerminal: false,
	};
}

async function terminalOutput(): Promise<Output> {
	const { prettyFactory } = await import('pino-pretty');
	const hasColours = process.stdout.hasColors();
	const pretty = prettyFactory({
		colorize: hasColours,
		ignore: 'pid,role,hostname',
		translateTime: 'SYS:HH:MM:ss',
		singleLine: true,
	});
	const line = (name: string, text: string) => {
		const prefix = `${name.padEnd(nameWidth)} │ `;
		const coloured = hasColours ? `\u001b[${colours[name] ?? 39}m${prefix}\u001b[39m` : prefix;
		const shown = text.startsWith('{') ? pretty(text) : text;
		for (const one of shown.trimEnd().split('\n')) process.stdout.write(`${coloured}${one}\n`);
	};
	return {
		line,
		text: (text) => process.stdout.write(text),
		destination: { write: (text) => line('start', text) },
		isTerminal: true,
	};
}
