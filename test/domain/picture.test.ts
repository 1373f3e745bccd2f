import { setTimeout as sleep } from 'node:timers/promises';
import { typeidUnboxed } from 'typeid-js';
import { describe, expect, it } from 'vitest';
import { maximumTags } from '../../src/domain/labels.ts';
import {
	isFinished,
	isReceived,
	manifestVersion,
	NewerManifestError,
	newPictureId,
	type Picture,
	parsePicture,
	parsePictureId,
	pictureIdTime,
	pictureStates,
	shownUrl,
} from '../../src/domain/picture.ts';
import { makeAwaited, makePicture } from '../helpers/manifest.ts';
import { thrownBy } from '../helpers/thrown.ts';

describe('picture ids', () => {
	it('sort by creation time', async () => {
		const ids: string[] = [];
		for (let count = 0; count < 20; count++) {
			ids.push(newPictureId());
			await sleep(2);
		}
		expect([...ids].sort()).toEqual(ids);
		expect(new Set(ids).size).toBe(20);
	});

	it('are unique within a millisecond', () => {
		const ids = Array.from({ length: 5_000 }, () => newPictureId());
		expect(new Set(ids).size).toBe(5_000);
	});

	it('contain their creation time, to the millisecond', () => {
		const before = Date.now();
		const time = pictureIdTime(newPictureId());
		expect(time).toBeGreaterThanOrEqual(before);
		expect(time).toBeLessThanOrEqual(Date.now());
	});

	it('contain the time of an id created elsewhere', () => {
		// An example of the TypeID specification (valid.json): UUIDv7 01890a5d-ac96-774b-bcce-b302099a8057.
		expect(pictureIdTime('pic_01h455vb4pex5vsknk084sn02q')).toBe(0x01890a5dac96);
		expect(pictureIdTime('pic_00000000000000000000000000')).toBe(0);
	});

	it('are accepted as created', () => {
		for (let count = 0; count < 100; count++) {
			const id = newPictureId();
			expect(parsePictureId(id)).toBe(id);
		}
		expect(parsePictureId('pic_7zzzzzzzzzzzzzzzzzzzzzzzzz')).toBe('pic_7zzzzzzzzzzzzzzzzzzzzzzzzz');
	});

	it.each([
		['nothing', ''],
		['another type', typeidUnboxed('job')],
		['no prefix', newPictureId().slice(4)],
		['capitals', newPictureId().toUpperCase()],
		['one character less', newPictureId().slice(0, -1)],
		['one character more', `${newPictureId()}0`],
		['letters that base32 leaves out', 'pic_01h455vb4pex5vsknk084sn0il'],
		['more than 128 bits', 'pic_8zzzzzzzzzzzzzzzzzzzzzzzzz'],
		['a path', '../../../etc/passwd'],
		['a path behind an id', `${newPictureId()}/../x`],
		['a line end', `${newPictureId()}\n`],
		['a space before', ` ${newPictureId()}`],
		['ten thousand letters', 'x'.repeat(10_000)],
		['a number', '42'],
	])('are refused if %s', async (_what, text) => {
		const error = await thrownBy(() => parsePictureId(text));
		expect(error.code).toBe('invalid-id');
		expect(error.message).toMatch(/^Expected an id like pic_[0-9a-z]{26} but received "/);
		expect(error.message.length).toBeLessThan(200);
	});
});

describe('states', () => {
	it('are finished when ready or failed', () => {
		expect(pictureStates.filter(isFinished)).toEqual(['ready', 'failed']);
	});
});

describe('parsePicture', () => {
	const picture = makePicture();
	const changed = (change: object) => JSON.stringify({ ...picture, ...change });

	it('reads what was written', () => {
		expect(parsePicture(JSON.stringify(picture))).toEqual(picture);
		const fetched = { ...picture, source: { ...picture.source, url: 'https://example.org/a.jpg' } };
		expect(parsePicture(JSON.stringify(fetched))).toEqual(fetched);
	});

	it('reads a picture that is still to be fetched, and distinguishes it', () => {
		const awaited = makeAwaited();
		const read = parsePicture(JSON.stringify(awaited));
		expect(read).toEqual(awaited);
		expect([isReceived(read), isReceived(picture)]).toEqual([false, true]);
	});

	it.each<[string, string]>([
		['nothing', ''],
		['half a manifest', JSON.stringify(picture).slice(0, 100)],
		['a list', '[]'],
		['an unknown state', changed({ state: 'lost' })],
		['a bad id', changed({ id: 'pic_1' })],
		['a revision of 0', changed({ revision: 0 })],
		['a bad digest of the source', changed({ source: { ...picture.source, sha256: 'abc' } })],
		['half a source', changed({ source: { key: 'x', sha256: 'ab'.repeat(32), url: 'https://example.org/' } })],
		['too many tags', changed({ tags: Array.from({ length: maximumTags + 1 }, String) })],
		['a failure of no time', changed({ failure: { class: 'corrupt', code: 'x', message: '', attempt: 1, at: '' } })],
	])('refuses %s without repeating it', async (_what, json) => {
		const error = await thrownBy(() => parsePicture(json));
		expect(error).toMatchObject({ code: 'internal', message: 'A manifest is unreadable.' });
		expect(error.cause).toBeInstanceOf(Error);
	});

	it('leaves a newer version to newer processes, and says so', async () => {
		const error = await thrownBy(() => parsePicture(changed({ version: manifestVersion + 1 })));
		expect(error).toBeInstanceOf(NewerManifestError);
		expect(error).toMatchObject({ code: 'internal', version: manifestVersion + 1 });
		expect(error.message).toContain('version 2');
	});

	it('reads a failure with a code and a class of a newer version', () => {
		const failure = { class: 'lost', code: 'x', message: '', attempt: 1, at: '2026-01-31T12:00:00.000Z' };
		expect(parsePicture(changed({ state: 'failed', failure })).failure).toEqual(failure);
	});

	it('reads a failure', () => {
		const failure: Picture['failure'] = {
			class: 'limit',
			code: 'picture-timeout',
			message: 'Expected the work to take at most 60 s.',
			step: 'encode large.avif',
			attempt: 1,
			at: '2026-01-31T12:00:00.000Z',
		};
		expect(parsePicture(changed({ state: 'failed', failure })).failure).toEqual(failure);
	});
});

describe('a URL', () => {
	it.each([
		['https://example.org/a/b.jpg', 'https://example.org/a/b.jpg'],
		['https://example.org/a.jpg?X-Amz-Signature=0a1b&x=1', 'https://example.org/a.jpg?…'],
		['http://127.0.0.1:8080/?', 'http://127.0.0.1:8080/'],
		['http://[::1]:8080/a', 'http://[::1]:8080/a'],
	])('is shown without parts that may be a signature: %s', (url, shown) => {
		expect(shownUrl(url)).toBe(shown);
	});
});
