import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'content-disposition';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderOf } from '../../../src/catalog/manifest.ts';
import { manifestKey } from '../../../src/storage/keys.ts';
import { readObject } from '../../../src/storage/storage.ts';
import { form, json, startTestApiWithWorker, untilFinished } from '../../helpers/api.ts';
import { names } from '../../helpers/filenames.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { photograph, withComment } from '../../helpers/pictures.ts';
import { PicpipeProcess } from '../../helpers/processes.ts';
import { fetchesFromHere, startRemote } from '../../helpers/remote.ts';
import { shared } from '../../helpers/shared.ts';
import { type Sink, startSink, webhooksToHere } from '../../helpers/sink.ts';
import { sendByTus } from '../../helpers/tus.ts';

let photo: Buffer;
beforeAll(async () => {
	photo = await photograph({ width: 64, height: 48 });
});

const running = shared(async () => {
	const sink = await startSink();
	const api = await startTestApiWithWorker({
		...fetchesFromHere,
		...webhooksToHere,
		PICPIPE_WEBHOOK_URL: sink.url,
		PICPIPE_WEBHOOK_SECRETS: `whsec_${Buffer.alloc(24, 1).toString('base64')}`,
		PICPIPE_WEBHOOK_SCHEMES: 'http,https',
		PICPIPE_DELIVERY_UNSIGNED: 'true',
	});
	return { api, sink };
});

const send = (url: string, init: RequestInit) => fetch(url, { method: 'POST', ...init }).then(json);

/** The value of `filename*` (RFC 8187, 3.2). */
const extended = (name: string) =>
	`UTF-8''${encodeURIComponent(name).replaceAll(/['()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`)}`;

/** A form whose part has its name in the spelling of RFC 8187 as well. */
function extendedForm(name: string): RequestInit {
	const head = `--b\r\ncontent-disposition: form-data; name="file"; filename="x.jpg"; filename*=${extended(name)}\r\n\r\n`;
	const body = Buffer.concat([Buffer.from(head), photo, Buffer.from('\r\n--b--\r\n')]);
	return { headers: { 'content-type': 'multipart/form-data; boundary=b' }, body: new Uint8Array(body) };
}

/** Every way for a picture to come in over HTTP. @returns the id of the picture */
const ways: Record<string, (name: string, api: string) => Promise<string>> = {
	'a form': async (name, api) => (await send(`${api}/v1/pictures`, { body: form([[name, photo]]) })).id,
	'a form with filename*': async (name, api) => (await send(`${api}/v1/pictures`, extendedForm(name))).id,
	'a raw body': async (name, api) =>
		(
			await send(`${api}/v1/pictures?filename=${encodeURIComponent(name)}`, {
				headers: { 'content-type': 'image/jpeg' },
				body: new Uint8Array(photo),
			})
		).id,
	tus: async (name, api) => (await sendByTus(api, photo, { metadata: { filename: name } })).picture ?? '',
	'the path of a URL': (name, api) => fromRemote(api, encodeURIComponent(name)),
	'the headers of a remote server': (name, api) =>
		fromRemote(api, 'other.jpg', `inline; filename="o.jpg"; filename*=${extended(name)}`),
	'the headers of a remote server in plain UTF-8': (name, api) =>
		fromRemote(api, 'other.jpg', `inline; filename="${Buffer.from(name).toString('latin1')}"`),
};

async function fromRemote(api: string, path: string, disposition?: string): Promise<string> {
	// Node refuses bytes beyond ASCII in this field beside a length.
	const remote = await startRemote((_request, response) => {
		response.writeHead(200, { ...(disposition !== undefined && { 'content-disposition': disposition }) });
		response.end(photo);
	});
	const body = JSON.stringify({ url: `${remote.url}/a/${path}` });
	return (await send(`${api}/v1/pictures`, { headers: { 'content-type': 'application/json' }, body })).id;
}

describe.each(Object.entries(ways))('names that come by %s', (_way, upload) => {
	it('stay whole in JSON, in the manifest, for downloads and in webhooks', async () => {
		const { api, sink } = running();
		for (const name of names) {
			const id = await upload(name, api.url);
			const picture = await untilFinished(api, id);
			expect(picture).toMatchObject({ state: 'ready', source: { filename: name } });
			const manifest = await readObject(api.storage, manifestKey(folderOf(id)));
			expect(JSON.parse(String(manifest)).source.filename).toBe(name);
			const original = await fetch(api.url + picture.links.original);
			const disposition = original.headers.get('content-disposition') ?? '';
			expect(disposition).toMatch(/^[\x20-\x7e]+$/);
			expect(parse(disposition).parameters.filename).toBe(name);
			const image = await fetch(`${api.url}/img/unsafe/w:20/fn:${encodeURIComponent(name)}/plain/${id}@webp`);
			expect(parse(image.headers.get('content-disposition') ?? '').parameters.filename).toBe(`${name}.webp`);
			await expectTold(sink, id, name);
		}
	});
});

async function expectTold(sink: Sink, id: string, name: string): Promise<void> {
	const [told] = await sink.expectMessages('picture.ready', id);
	expect(told?.message.data.source.filename).toBe(name);
}

it('names of files stay whole from the command line and from a watched folder', async () => {
	const { api } = running();
	const folder = await temporaryFolder();
	await mkdir(join(folder, 'in'));
	for (const name of names) await writeFile(join(folder, 'in', name), withComment(photo, name));
	const upload = new PicpipeProcess({
		folder,
		command: 'upload',
		arguments: [join(folder, 'in'), '--api', api.url, '--tags', 'cli', '--wait'],
	});
	expect(await upload.exited).toMatchObject({ code: 0 });
	const watch = new PicpipeProcess({
		folder: await temporaryFolder(),
		command: 'watch',
		arguments: [join(folder, 'in'), '--once'],
		environment: {
			PICPIPE_STORAGE: api.config.storage,
			PICPIPE_REDIS_PREFIX: api.config.redisPrefix,
			REDIS_URL: api.config.redisUrl,
			PICPIPE_WATCH_SETTLE_SECONDS: '1',
		},
	});
	const { code } = await watch.exited;
	expect([code, watch.output]).toEqual([0, expect.anything()]);
	const { pictures } = await json(await fetch(`${api.url}/v1/pictures?limit=12`));
	const found = pictures.map(({ source }: { source: { filename: string } }) => source.filename).sort();
	expect(found).toEqual([...names, ...names].sort());
});
