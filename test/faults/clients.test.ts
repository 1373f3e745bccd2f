import { describe, expect, it } from 'vitest';
import { openStorage } from '../../src/storage/index.ts';
import { listed } from '../contract/storage.ts';
import {
	loadSize,
	mixedPhotographs,
	quickRecipe,
	residentBytes,
	rounds,
	startForFaults,
	until,
} from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph } from '../helpers/pictures.ts';
import { head, openWire, type Wire } from '../helpers/wire.ts';

/** Connections that behave badly, in equal parts of each kind. */
const badConnections = 200;
/** Memory by which the api may grow while it has them all, bytes: a good half of a megabyte for each. */
const growth = 120e6;

/** What a bad client does with its connection. @returns what ends what it does from time to time */
type Manner = (wire: Wire, bytes: Buffer) => undefined | NodeJS.Timeout;

const upload = (length: number) =>
	head('POST /v1/pictures', { 'Content-Type': 'image/jpeg', 'Content-Length': length });

const moreThanAnnounced = 'sends more than it announced';
const manners: Readonly<Record<string, Manner>> = {
	'says nothing': () => undefined,
	'stops within its headers': (wire) => {
		wire.send('POST /v1/pictures HTTP/1.1\r\nHost: local');
		return undefined;
	},
	'stalls within its body': (wire, bytes) => {
		wire.send(upload(bytes.length), bytes.subarray(0, bytes.length / 2));
		return undefined;
	},
	drips: (wire, bytes) => {
		wire.send(upload(bytes.length));
		let at = 0;
		return setInterval(() => wire.ended === undefined && wire.send(bytes.subarray(at, ++at)), 100);
	},
	aborts: (wire, bytes) => {
		wire.send(upload(bytes.length), bytes.subarray(0, bytes.length / 3));
		return setTimeout(() => wire.socket.destroy(), 300);
	},
	'announces more than it sends': (wire, bytes) => {
		wire.send(upload(bytes.length + 1_000), bytes);
		wire.socket.end();
		return undefined;
	},
	[moreThanAnnounced]: (wire, bytes) => {
		wire.send(upload(bytes.length), bytes, Buffer.alloc(5_000, 'x'));
		return undefined;
	},
	'announces a length that is none': (wire, bytes) => {
		wire.send(
			'POST /v1/pictures HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: -5\r\n\r\n',
			bytes,
		);
		return undefined;
	},
};

describe.each(rounds)('clients that stall, drip, abort and send wrong lengths, round %i', () => {
	it('two hundred at a time: others are served, memory stays bounded, nothing is left of them', {
		timeout: 180_000,
	}, async () => {
		const picpipe = await startForFaults({
			...quickRecipe,
			PICPIPE_HEADERS_SECONDS: '5',
			PICPIPE_SLOW_SECONDS: '4',
			PICPIPE_KEEP_ALIVE_SECONDS: '2',
			PICPIPE_UPLOAD_SECONDS: '20',
			PICPIPE_ABANDONED_SECONDS: '21',
		});
		const { api, data } = await picpipe.ready();
		const pid = picpipe.pidOf('api');
		const ledger = new Ledger();
		const files = await mixedPhotographs();
		// What the api holds when it is warm.
		await ledger.uploadAll(api, files.slice(0, loadSize / 4));
		const before = residentBytes(pid);

		const bytes = await photograph({ width: 640, height: 480 });
		const behave = Object.values(manners);
		const wires: Wire[] = [];
		const timers: (NodeJS.Timeout | undefined)[] = [];
		for (let index = 0; index < badConnections; index++) {
			const wire = await openWire(api);
			wires.push(wire);
			timers.push(behave[index % behave.length]?.(wire, bytes));
		}
		let peak = 0;
		const watch = setInterval(() => {
			peak = Math.max(peak, residentBytes(pid));
		}, 50);
		await ledger.uploadAll(api, files.slice(loadSize / 4));
		await until('all bad connections are ended', () => wires.every(({ ended }) => ended !== undefined), 60_000);
		clearInterval(watch);
		for (const timer of timers) clearInterval(timer);

		expect(ledger.refused).toEqual([]);
		expect(ledger.accepted.size).toBe(loadSize);
		expect(peak).toBeLessThan(before + growth);
		expect(picpipe.pidOf('api')).toBe(pid);
		const storage = openStorage(`file:${data}`);
		await until('nothing is pending', async () => (await listed(storage, 'pending/')).length === 0, 90_000);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(picpipe.sink);
		// What follows a whole upload and is no request ends the connection, perhaps before the upload is answered, perhaps before it is accepted.
		const lying = wires.filter((_, index) => index % behave.length === Object.keys(manners).indexOf(moreThanAnnounced));
		for (const { received } of lying) expect(received).toMatch(/^HTTP\/1\.1 (202|400) /);
		const pictures = (await listed(storage, 'pictures/')).filter((key) => key.endsWith('/picture.json'));
		const taken = pictures.length - loadSize;
		expect(taken).toBeGreaterThanOrEqual(lying.filter(({ received }) => received.startsWith('HTTP/1.1 202')).length);
		expect(taken).toBeLessThanOrEqual(lying.length);
	});
});
