import { expect, it } from 'vitest';
import { json, startTestApi, untilFinished } from '../../helpers/api.ts';
import { photograph } from '../../helpers/pictures.ts';

it('file names of downloads have the extension of their bytes', async () => {
	const api = await startTestApi({ PICPIPE_DELIVERY_UNSIGNED: 'true', PICPIPE_CLOUDINARY: 'true' });
	await api.startWorker();
	const body = new Uint8Array(await photograph({ width: 90, height: 60 }));
	const headers = { 'content-type': 'image/jpeg' };
	const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', headers, body }));
	await untilFinished(api, id);

	for (const [path, disposition] of [
		[`/img/_/w:30/plain/${id}@webp`, null],
		[`/img/_/w:30/att:1/plain/${id}@webp`, `attachment; filename=${id}.webp`],
		[`/img/_/w:30/fn:a/plain/${id}@webp`, 'inline; filename=a.webp'],
		[`/img/_/w:30/fn:photo.jpg/plain/${id}@webp`, 'inline; filename=photo.jpg.webp'],
		[`/img/_/w:30/fn:photo.jpg/att:1/plain/${id}@jpg`, 'attachment; filename=photo.jpg.jpg'],
		[`/img/_/raw:1/att:1/plain/${id}`, `attachment; filename=${id}.jpg`],
		[`/img/_/variant:large:webp/att:1/plain/${id}`, `attachment; filename=${id}.webp`],
		[`/cld/demo/image/upload/w_30,fl_attachment/${id}.png`, `attachment; filename=${id}.png`],
		[`/cld/demo/image/upload/w_30,fl_attachment:a/${id}.png`, 'attachment; filename=a.png'],
	] as const) {
		const answer = await fetch(api.url + path);
		expect([path, answer.status, answer.headers.get('content-disposition')]).toEqual([path, 200, disposition]);
		await answer.arrayBuffer();
	}
});
