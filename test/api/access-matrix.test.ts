import { describe, expect, it } from 'vitest';
import { type Route, routes } from '../../src/api/routes.ts';
import { type CallerName, callers, type Kind, startAccessWorld, strangers } from '../helpers/access.ts';
import { photograph } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { bytesAt } from '../helpers/tus.ts';

/**
 * Every route × every caller, over HTTP, with a picpipe in processes of its own. The status of each cell is written down here; a refused
 * request has changed nothing, and no answer to a stranger contains a word of what belongs to others. A new route needs a row.
 */

interface Row {
	/** The expected status for each of `callers`, in their order. */
	readonly cells: readonly number[];
	/** What `:id` names, or the body. */
	readonly kind?: Kind;
	/** The route changes what `:id` names, so it is planted anew. */
	readonly changes?: true;
	/** The path, if it is more than the route's with its `:id`. */
	readonly path?: (path: string) => string;
	/** The request's body and header fields. @param id as `:id` */
	readonly init?: (id: string) => RequestInit | Promise<RequestInit>;
}

/** For everybody, with a key or without. */
const open = (status: number, more: Partial<Row> = {}): Row => ({ ...more, cells: callers.map(() => status) });
/** The first five columns: nobody, a wrong key, a revoked one, an upload token, an expired one. */
const noTokens = [401, 401, 401, 403, 403];
const admin = (status: number, more: Partial<Row> = {}): Row => ({
	...more,
	cells: [...noTokens, 403, 403, 403, 403, status],
});
const read = (status: number, more: Partial<Row> = {}): Row => ({
	...more,
	cells: [...noTokens, 403, 403, status, status, status],
});
const seesOwn = (status: number, more: Partial<Row> = {}): Row => ({
	...more,
	cells: [...noTokens, 404, status, status, status, status],
});
const changesOwn = (status: number, more: Partial<Row> = {}): Row => ({
	...more,
	changes: true,
	cells: [...noTokens, 404, status, 403, 403, status],
});
const uploads = (status: number, more: Partial<Row> = {}): Row => ({
	...more,
	cells: [401, 401, 401, status, 401, status, status, 403, status, status],
});

const body =
	(value: object): NonNullable<Row['init']> =>
	() => ({
		body: JSON.stringify(value),
		headers: { 'content-type': 'application/json' },
	});
const tusHeaders = { 'tus-resumable': '1.0.0' };

const rows: Readonly<Record<string, Row>> = {
	'POST /v1/pictures': uploads(202, {
		init: async () => ({
			body: new Uint8Array(await photograph({ width: 40, height: 30 })),
			headers: { 'content-type': 'image/jpeg' },
		}),
	}),
	'GET /v1/pictures': { cells: [...noTokens, 200, 200, 200, 200, 200] },
	'GET /v1/tags': { cells: [...noTokens, 200, 200, 200, 200, 200] },
	'GET /v1/pictures/:id': seesOwn(200, { kind: 'picture' }),
	'DELETE /v1/pictures/:id': { ...admin(204), kind: 'picture', changes: true },
	'GET /v1/pictures/:id/original': seesOwn(200, { kind: 'picture' }),
	'GET /v1/pictures/:id/variants/:variant': seesOwn(200, {
		kind: 'picture',
		path: (path) => path.replace(':variant', 'a'),
	}),
	'GET /v1/pictures/:id/similar': seesOwn(200, { kind: 'picture' }),
	'POST /v1/pictures/:id/retry': changesOwn(202, { kind: 'failed' }),
	'POST /v1/pictures/:id/process': changesOwn(202, { kind: 'picture', init: body({ force: true }) }),
	'OPTIONS /v1/uploads': open(204),
	'POST /v1/uploads': uploads(201, { init: () => ({ headers: { ...tusHeaders, 'upload-length': '10' } }) }),
	'HEAD /v1/uploads/:id': {
		kind: 'upload',
		init: () => ({ headers: tusHeaders }),
		cells: [401, 401, 401, 404, 404, 404, 200, 200, 200, 200],
	},
	'GET /v1/uploads/:id': { kind: 'upload', cells: [401, 401, 401, 404, 404, 404, 200, 200, 200, 200] },
	'PATCH /v1/uploads/:id': {
		kind: 'upload',
		changes: true,
		init: () => ({ body: 'x', headers: { ...tusHeaders, ...bytesAt(10) } }),
		cells: [401, 401, 401, 404, 404, 404, 204, 403, 403, 204],
	},
	'DELETE /v1/uploads/:id': {
		kind: 'upload',
		changes: true,
		init: () => ({ headers: tusHeaders }),
		cells: [401, 401, 401, 404, 404, 404, 204, 403, 403, 204],
	},
	'POST /v1/upload-tokens': {
		kind: 'batch',
		cells: [...noTokens, 400, 201, 403, 403, 201],
		init: (id) => body({ batch: id })(id),
	},
	'GET /v1/recipes': read(200),
	'GET /v1/recipes/:name': read(200, { path: (path) => path.replace(':name', 'web') }),
	'GET /v1/operations': read(200),
	'POST /v1/batches': { cells: [401, 401, 401, 403, 401, 201, 201, 403, 201, 201], init: body({ name: 'another' }) },
	'GET /v1/batches/:id': seesOwn(200, { kind: 'batch' }),
	'POST /v1/batches/:id/close': changesOwn(200, { kind: 'batch' }),
	'GET /v1/failures': read(200),
	'GET /v1/failures/quarantine': read(200),
	'POST /v1/failures/retry': admin(202, { init: body({ code: 'worker-lost' }) }),
	// An operator's call that gets past the guard is refused for what it says, so that no endpoint changes the rest of the test.
	'POST /v1/webhooks': admin(400, { init: body({ nothing: true }) }),
	'GET /v1/webhooks': admin(200),
	'GET /v1/webhooks/:id': admin(404),
	'DELETE /v1/webhooks/:id': admin(404),
	'POST /v1/webhooks/:id/rotate-secret': admin(404),
	'POST /v1/webhooks/:id/test': admin(404),
	'POST /v1/webhooks/:id/enable': admin(404),
	'POST /v1/webhooks/:id/disable': admin(404),
	'POST /v1/webhooks/:id/replay': admin(404),
	'GET /v1/webhooks/:id/deliveries': admin(404),
	'GET /v1/webhooks/:id/deliveries/:delivery': admin(404),
	'POST /v1/webhooks/:id/deliveries/:delivery/replay': admin(404),
	'GET /v1/index': read(200),
	'GET /v1/queues': admin(200),
	'POST /v1/queues/:name/pause': admin(200, { path: (path) => path.replace(':name', 'renders') }),
	'POST /v1/queues/:name/resume': admin(200, { path: (path) => path.replace(':name', 'renders') }),
	'POST /v1/queues/:name/drain': admin(200, { path: (path) => path.replace(':name', 'renders') }),
	'POST /v1/queues/:name/retry-failed': admin(200, { path: (path) => path.replace(':name', 'renders') }),
	'POST /v1/queues/:name/clean': admin(200, { path: (path) => path.replace(':name', 'renders') }),
	'POST /v1/sign': admin(400, { init: body({}) }),
	'GET /img/*path': { ...open(403), kind: 'picture', path: (path) => path.replace('*path', 'unsafe/raw:1/plain/:id') },
	'GET /ipx/*path': { ...open(404), kind: 'picture', path: (path) => path.replace('*path', '_/:id') },
	'GET /cld/*path': { ...open(404), kind: 'picture', path: (path) => path.replace('*path', 'demo/image/upload/:id') },
	'GET /healthz': open(200),
	'GET /readyz': open(200),
	'GET /metrics': admin(200),
	'GET /': open(200),
	'GET /assets/:file': open(404),
	'GET /dashboard.json': open(200),
};

const nameOf = ({ method, path }: Route) => `${method} ${path}`;

const world = shared(startAccessWorld);

/** The response in full, as far as it could tell something. @param id left out, because the request named it */
async function fingerprint(response: Response, id: string) {
	const text = (await response.text()).replaceAll(id, ':id').replace(/"requestId":"[^"]+"/, '');
	const telling = [...response.headers].filter(
		([name]) => !/^(date|x-request-id|ratelimit.*|etag|content-length|connection|keep-alive)$/.test(name),
	);
	const challenge = response.headers.get('www-authenticate');
	return { status: response.status, challenge, text, headers: JSON.stringify(telling).replaceAll(id, ':id') };
}

describe('the matrix of routes and callers', () => {
	it('has a row for each route, and no other', () => {
		expect(Object.keys(rows).sort()).toEqual(routes.map(nameOf).sort());
		for (const [name, { cells }] of Object.entries(rows)) expect([name, cells.length]).toEqual([name, callers.length]);
	});

	it('has what belongs to somebody behind every id that is not for operators', () => {
		for (const route of routes) {
			const isOwned = route.path.includes(':id') && route.scope !== 'admin';
			if (isOwned) expect([nameOf(route), route.owned]).toEqual([nameOf(route), true]);
			if (route.owned)
				expect([
					nameOf(route),
					route.path.includes(':id') || ['/v1/pictures', '/v1/tags'].includes(route.path),
				]).toEqual([nameOf(route), true]);
		}
	});

	it.each(routes.map((route) => [nameOf(route), route] as const))('%s', { timeout: 180_000 }, async (name, route) => {
		const row = rows[name];
		if (!row) return expect.fail(`Expected a row for ${name}.`);
		const { ask, settle, replant, snapshot, planted, unknown, secrets } = world();
		const send = async (caller: CallerName, id: string) => {
			const path = (row.path?.(route.path) ?? route.path).replace(':id', id).replaceAll(/:\w+/g, 'nothing');
			return fingerprint(await ask(caller, path, { ...(await row.init?.(id)), method: route.method }), id);
		};
		for (const [at, caller] of callers.entries()) {
			const id = row.kind === undefined ? 'nothing' : planted[row.kind];
			await settle();
			const before = await snapshot();
			const answer = await send(caller, id);
			expect([caller, answer.status, answer.text.slice(0, 200)]).toEqual([
				caller,
				row.cells[at],
				answer.text.slice(0, 200),
			]);
			const isRefused = answer.status >= 400;
			if (isRefused) expect(await snapshot(), `${caller} changed something`).toEqual(before);
			// RFC 6750: what is missing, a key or a scope.
			if (answer.status === 401) expect(answer.challenge).toMatch(/^Bearer( error="invalid_token")?$/);
			if (answer.status === 403 && route.scope !== 'open') {
				const needed = caller === 'both' && row.kind ? 'admin' : route.scope;
				expect([caller, answer.challenge]).toEqual([caller, `Bearer error="insufficient_scope", scope="${needed}"`]);
			}
			if (strangers.includes(caller)) {
				for (const word of secrets())
					expect(answer.text + answer.headers, `${caller} learns ${word}`).not.toContain(word);
			}
			// What is there and not theirs cannot be told from what is not there.
			if (row.kind && route.scope !== 'open' && isRefused && strangers.includes(caller)) {
				expect(await send(caller, unknown(row.kind)), `${caller} can tell`).toEqual(answer);
			}
			if (row.kind && row.changes && !isRefused) {
				await settle();
				await replant(row.kind);
			}
		}
	});
});
