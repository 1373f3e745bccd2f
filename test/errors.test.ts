import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemOf } from '../src/api/middleware/problem.ts';
import { settings } from '../src/config/index.ts';
import {
	type ErrorCode,
	errorTable,
	failureClasses,
	isRetryable,
	nextStepOf,
	PicpipeError,
	toPicpipeError,
} from '../src/errors.ts';
import { nextSteps } from '../src/next-steps.ts';
import { failureOf } from '../src/worker/record.ts';

const codes = Object.keys(errorTable) as ErrorCode[];
const variables = new Set(Object.values(settings).map(({ variable }) => variable as string));

describe('the next steps', () => {
	it('are those of the codes, and no others', () => {
		expect(Object.keys(nextSteps).sort()).toEqual([...codes].sort());
	});

	it.each(codes)('of %s name settings, commands and pages that exist', async (code) => {
		const step = nextStepOf(code);
		expect(step).toMatch(/^[A-Z].*\.$/);
		expect(step.length).toBeLessThanOrEqual(160);
		for (const [variable] of step.matchAll(/PICPIPE_\w+|REDIS_URL/g))
			expect([variable, variables.has(variable)]).toEqual([variable, true]);
		for (const [, command, flag] of step.matchAll(/`picpipe (\w+)(?: add)?(?: (--[a-z-]+))?`/g)) {
			const source = await readFile(`src/cli/${command}.ts`, 'utf8');
			if (flag !== undefined) expect(source).toContain(`ption('${flag} <`);
		}
		for (const [page] of step.matchAll(/docs\/[\w/.]+\w/g)) await access(page);
	});
});

it('settings that sentences name exist', async () => {
	// A part of a name, as in `${rules.settings}_HOSTS`, is followed by no letter.
	for (const text of await sources()) {
		for (const [variable] of text.matchAll(/PICPIPE_[A-Z_]*[A-Z]\b/g)) {
			const isKnown = variables.has(variable) || [...variables].some((one) => one.startsWith(`${variable}_`));
			expect([variable, isKnown]).toEqual([variable, true]);
		}
	}
});

/** The text of every file of src. */
async function sources(): Promise<string[]> {
	const files = await readdir('src', { recursive: true, withFileTypes: true });
	return Promise.all(
		files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'utf8')),
	);
}

describe.each(codes)('error %s', (code) => {
	const row = errorTable[code];

	it('has a name in kebab case, a sentence and a class', () => {
		expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
		expect(row.title).toMatch(/^[A-Z][^.]+\.$/);
		expect([...failureClasses, 'request']).toContain(row.class);
	});

	it('has a status that agrees with its class', () => {
		const allowed = {
			// The caller's fault, and never one to be tried again; 408 and 429 by the caller alone, slower or later.
			request: [400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416, 422, 423, 429, 460],
			limit: [413, 422],
			unsupported: [415, 422, 500],
			corrupt: [422],
			transient: [503, 507],
			internal: [500],
		}[row.class];
		expect(allowed).toContain(row.status);
	});

	it('is retried exactly when its class is', () => {
		const error = new PicpipeError(code);
		expect(error).toMatchObject({ code, status: row.status, class: row.class, title: row.title, message: row.title });
		expect(error.retryable).toBe(row.class === 'transient' || row.class === 'internal');
		expect(isRetryable(row.class)).toBe(error.retryable);
	});

	it('makes a problem document without internal details', () => {
		const secret = 'ENOENT /srv/secret/place';
		const problem = problemOf(new PicpipeError(code, secret), 'request-1');
		expect(problem).toMatchObject({ type: `urn:picpipe:error:${code}`, status: row.status, code, class: row.class });
		expect(problem.detail).toBe(row.status === 500 ? row.title : secret);
	});

	it('can be stored in a manifest with a failure class', () => {
		expect(failureClasses).toContain(failureOf(new PicpipeError(code), 1).class);
	});

	it('is used and documented', async () => {
		const use = new RegExp(`['"]${code}['"](?!: \\{)`);
		expect((await sources()).filter((source) => use.test(source))).not.toEqual([]);
		expect(await readFile('docs/reference/errors.md', 'utf8')).toContain(
			`| \`${code}\` | ${row.status} | ${row.class} |`,
		);
	});
});

describe('PicpipeError', () => {
	it('has the sentence, the step and the cause', () => {
		const cause = new Error('libvips said so');
		const error = new PicpipeError('corrupt-picture', 'The picture ends too early.', { cause, step: 'decode' });
		expect(error).toMatchObject({
			name: 'PicpipeError',
			message: 'The picture ends too early.',
			step: 'decode',
			cause,
		});
		expect(error).toBeInstanceOf(Error);
	});

	it('has no cause and no step by default', () => {
		const error = new PicpipeError('no-file');
		expect('cause' in error).toBe(false);
		expect(error.step).toBeUndefined();
	});
});

describe('toPicpipeError', () => {
	const withCode = (code: string) => Object.assign(new Error('of the system'), { code });

	it('does not change a PicpipeError', () => {
		const error = new PicpipeError('storage-full', undefined, { step: 'store' });
		expect(toPicpipeError(error, 'another step')).toBe(error);
	});

	it.each<[string, ErrorCode]>([
		['ENOSPC', 'storage-full'],
		['EDQUOT', 'storage-full'],
		['EMFILE', 'storage-unavailable'],
		['ENFILE', 'storage-unavailable'],
		['EIO', 'storage-unavailable'],
		['EAGAIN', 'storage-unavailable'],
		['EBUSY', 'storage-unavailable'],
		['ESTALE', 'storage-unavailable'],
		['EROFS', 'storage-unavailable'],
		['EACCES', 'internal'],
		['ERR_INVALID_ARG_TYPE', 'internal'],
	])('turns %s into %s, which is retried', (code, expected) => {
		const thrown = withCode(code);
		const error = toPicpipeError(thrown, 'store');
		expect(error).toMatchObject({ code: expected, step: 'store', cause: thrown, retryable: true });
		// What the system said may name paths.
		expect(error.message).toBe(errorTable[expected].title);
	});

	it.each([undefined, null, 'a string', 42, {}, { code: 7 }, new TypeError('x is not a function')])(
		'accepts any other thrown value: %s',
		(thrown) => {
			expect(toPicpipeError(thrown)).toMatchObject({ code: 'internal', step: undefined });
		},
	);
});
