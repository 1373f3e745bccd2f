import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { quickRecipe, residentBytes, startForFaults, type UnderFault, until } from '../helpers/faults.ts';
import { photograph } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { shortOrLong } from '../helpers/thoroughness.ts';
import { head, openWire, type Wire } from '../helpers/wire.ts';

/** Clients at the same time, all of one kind. */
const clients = 400;
/** Memory that the api may have in all that time, bytes. */
const most = 400e6;
/** A picture large enough that no upload fits into the buffers of a connection. */
const bodySize = 8_000_000;

/** A JPEG that goes on and on behind its end. */
async function largePicture(): Promise<Buffer> {
	return Buffer.concat([await photograph({ width: 640, height: 480 }), Buffer.alloc(bodySize)]).subarray(0, bodySize);
}

/** JSON of half a megabyte with as many values as it may have, in a body that any route of JSON reads. */
function largeJson(): Buffer {
	const values = `[${Array.from({ length: 20_000 }, () => '{}').join(',')}]`;
	const rest = 500_000 - values.length - 30;
	return Buffer.from(`{"recipe":{"a":${values},"b":"${'x'.repeat(rest)}"}}`);
}

/** What a client sends before it stands still. */
interface Attack {
	readonly parts: () => Promise<readonly (string | Buffer)[]>;
	/** Statuses that a client may get, besides 503; a connection that was reset has none. */
	readonly statuses: RegExp;
	/** Tried by long runs only. */
	readonly isLong?: true;
}

const boundary = 'X-BOUNDARY';
const attacks: Readonly<Record<string, Attack>> = {
	'JSON of half a megabyte': {
		statuses: /^400$/,
		parts: async () => {
			const json = largeJson();
			return [head('POST /v1/pictures', { 'Content-Type': 'application/json', 'Content-Length': json.length }), json];
		},
	},
	'JSON without its end': {
		isLong: true,
		statuses: /^408$/,
		parts: async () => {
			const json = largeJson();
			return [
				head('POST /v1/pictures', { 'Content-Type': 'application/json', 'Content-Length': json.length }),
				json.subarray(0, -1),
			];
		},
	},
	'compressed JSON': {
		isLong: true,
		statuses: /^408$/,
		parts: async () => {
			const json = gzipSync(largeJson());
			const type = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', 'Transfer-Encoding': 'chunked' };
			return [head('POST /v1/pictures', type), `${json.length.toString(16)}\r\n`, json, '\r\n'];
		},
	},
	'pictures as the body': {
		statuses: /^408$/,
		parts: async () => [
			head('POST /v1/pictures', { 'Content-Type': 'image/jpeg', 'Content-Length': bodySize }),
			(await largePicture()).subarray(0, bodySize / 16),
		],
	},
	'pictures in chunks of a byte': {
		statuses: /^(400|)$/,
		parts: async () => {
			const bytes = (await largePicture()).subarray(0, 40_000);
			const chunks = Buffer.concat([...bytes].map((byte) => Buffer.from([0x31, 13, 10, byte, 13, 10])));
			return [head('POST /v1/pictures', { 'Content-Type': 'image/jpeg', 'Transfer-Encoding': 'chunked' }), chunks];
		},
	},
	'forms of many files': {
		isLong: true,
		statuses: /^408$/,
		parts: async () => {
			const file = (await largePicture()).subarray(0, 60_000);
			const files = Array.from({ length: 12 }, (_, at) => [
				Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${at}.jpg"\r\n\r\n`),
				file,
				Buffer.from('\r\n'),
			]);
			const type = `multipart/form-data; boundary=${boundary}`;
			return [
				head('POST /v1/pictures', { 'Content-Type': type, 'Content-Length': bodySize }),
				Buffer.concat(files.flat()),
			];
		},
	},
	'resumable uploads': {
		statuses: /^408$/,
		parts: async () => {
			const tus = {
				'Tus-Resumable': '1.0.0',
				'Upload-Length': bodySize,
				'Content-Type': 'application/offset+octet-stream',
			};
			return [
				head('POST /v1/uploads', { ...tus, 'Content-Length': bodySize }),
				(await largePicture()).subarray(0, bodySize / 16),
			];
		},
	},
	'headers without an end': {
		isLong: true,
		statuses: /^408$/,
		parts: async () => [head('POST /v1/pictures', { 'X-Long': 'x'.repeat(15_000) }).slice(0, -2)],
	},
};

describe(`${clients} hostile clients at the same time`, () => {
	const running = shared(async () => {
		const picpipe = await startForFaults({
			...quickRecipe,
			PICPIPE_SLOW_SECONDS: '5',
			PICPIPE_HEADERS_SECONDS: '5',
		});
		await picpipe.ready();
		return picpipe;
	});

	const tried = Object.entries(attacks).filter(([, { isLong = false }]) => shortOrLong(!isLong, true));
	it.each(tried)(
		'with %s: memory stays bounded, others are answered',
		{
			timeout: 240_000,
		},
		async (_attack, { parts, statuses }) => {
			const picpipe = running();
			const { api } = await picpipe.ready();
			const memory = watchMemory(picpipe);
			const wires: Wire[] = [];
			for (let round = 0; round < shortOrLong(1, 5); round++) {
				const sent = await parts();
				for (let index = 0; index < clients; index++) {
					const wire = await openWire(api);
					wires.push(wire);
					wire.send(...sent);
				}
				// Others are answered all the while, and do not wait for these to end.
				const waiting = () => wires.filter(({ ended, received }) => ended === undefined && received === '').length;
				for (let request = 0; request < 10; request++) {
					expect((await fetch(`${api}/v1/pictures?limit=1`)).status).toBe(200);
					expect((await fetch(`${api}/healthz`)).status).toBe(200);
				}
				await until('all hostile clients are answered', () => waiting() === 0, 60_000);
			}
			memory.stop();
			expect(memory.peak()).toBeLessThan(most);
			for (const wire of wires) {
				if (statusOf(wire) === '503') expect(wire.received).toMatch(/\r\nretry-after: \d+\r\n/i);
				else expect(statusOf(wire)).toMatch(statuses);
			}
		},
	);
});

function statusOf({ received }: Wire): string {
	return received.slice(9, 12);
}

function watchMemory(picpipe: UnderFault) {
	const pid = picpipe.pidOf('api');
	let peak = 0;
	const timer = setInterval(() => {
		peak = Math.max(peak, residentBytes(pid));
	}, 20);
	return { peak: () => peak, stop: () => clearInterval(timer) };
}
