import { type Agent, get } from 'node:http';
import { describe, expect, it } from 'vitest';
import { checkUrl, guardedAgent, type OutgoingRules } from '../../src/http/guard.ts';
import { says, startRemote } from '../helpers/remote.ts';
import { thrownBy } from '../helpers/thrown.ts';

const open: OutgoingRules = {
	schemes: ['https', 'http'],
	hosts: '*',
	ports: [80, 443],
	networks: [],
	settings: 'PICPIPE_X',
};

describe('checkUrl', () => {
	it.each([
		'https://example.org/a.jpg',
		'http://example.org:80/',
		'https://example.org:443/a?b=c',
		'https://1.1.1.1/',
		'https://[2606:4700:4700::1111]/',
	])('accepts %s', (url) => {
		expect(checkUrl(url, open).href).toBe(new URL(url).href);
	});

	it('removes the fragment and the dot of the root', () => {
		expect(checkUrl('https://example.org./a#part', open).href).toBe('https://example.org/a');
	});

	it.each([
		['s3://bucket/key', 'url-unsupported', /s3.*storage driver for S3/],
		['file:///etc/passwd', 'url-unsupported', /"file"/],
		['data:image/png;base64,AAAA', 'url-unsupported', /"data"/],
		['ftp://example.org/a.jpg', 'url-unsupported', /"ftp"/],
		['//example.org/a.jpg', 'url-unsupported', /Expected a URL/],
		['a.jpg', 'url-unsupported', /Expected a URL/],
		['https://', 'url-unsupported', /Expected a URL/],
		['https://me:secret@example.org/', 'url-not-allowed', /without user name and password/],
		['https://me@example.org/', 'url-not-allowed', /without user name and password/],
		['http://example.org:22/', 'url-not-allowed', /port 80 or 443 \(PICPIPE_X_PORTS\) but received 22/],
		['http://example.org:8080/', 'url-not-allowed', /8080/],
	])('refuses %s', async (url, code, sentence) => {
		const error = await thrownBy(() => checkUrl(url, open));
		expect(error).toMatchObject({ code, retryable: false });
		expect(error.message).toMatch(sentence);
		expect(error.message).not.toContain('secret');
	});

	it.each([
		'http://127.0.0.1/',
		'http://2130706433/',
		'http://0x7f000001/',
		'http://0177.0.0.1/',
		'http://127.1/',
		'http://0/',
		'http://①②⑦.⓪.⓪.①/',
		'http://[::1]/',
		'http://[::]/',
		'http://[::ffff:127.0.0.1]/',
		'http://[::ffff:7f00:1]/',
		'http://[::127.0.0.1]/',
		'http://[64:ff9b::127.0.0.1]/',
		'http://[2002:7f00:1::]/',
		'http://[2001:0:7f00:1::]/',
		'http://[fe80::1]/',
		'http://[fd00:ec2::254]/',
		'http://169.254.169.254/latest/meta-data/',
		'http://168.63.129.16/',
		'http://100.64.0.1/',
		'http://10.0.0.1./',
	])('refuses a literal IP address that is not public: %s', async (url) => {
		expect((await thrownBy(() => checkUrl(url, open))).code).toBe('address-not-allowed');
	});

	it('accepts a configured network, and no other', async () => {
		const rules = { ...open, networks: ['127.0.0.0/8'] };
		expect(checkUrl('http://2130706433/', rules).hostname).toBe('127.0.0.1');
		expect(checkUrl('http://[::ffff:127.0.0.1]/', rules).hostname).toBe('[::ffff:7f00:1]');
		expect((await thrownBy(() => checkUrl('http://[::1]/', rules))).code).toBe('address-not-allowed');
	});

	it('enforces the configured schemes, ports and hosts', async () => {
		const rules: OutgoingRules = {
			...open,
			schemes: ['https'],
			hosts: ['images.example.org', '*.example.net', '[2606:4700:4700::1111]'],
			ports: '*',
		};
		for (const url of [
			'https://images.example.org/',
			'https://IMAGES.example.org.:8443/',
			'https://a.b.example.net/',
			'https://[2606:4700:4700::1111]/',
		]) {
			expect(checkUrl(url, rules)).toBeInstanceOf(URL);
		}
		for (const url of [
			'http://images.example.org/',
			'https://example.org/',
			'https://example.net/',
			'https://badexample.net/',
			'https://images.example.org.evil.com/',
			'https://1.1.1.1/',
		]) {
			expect((await thrownBy(() => checkUrl(url, rules))).code, url).toBe('url-not-allowed');
		}
		const none = await thrownBy(() => checkUrl('https://example.org/', { ...open, schemes: [] }));
		expect(none).toMatchObject({ code: 'url-not-allowed' });
		expect(none.message).toContain('PICPIPE_X_SCHEMES=none');
	});
});

describe('guardedAgent', () => {
	const url = new URL('http://pictures.example/');
	const resolves = (...addresses: string[]) => {
		return async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
	};

	it.each([
		[['127.0.0.1']],
		[['::1']],
		[['::ffff:10.0.0.1']],
		[['169.254.169.254']],
		[['1.1.1.1', '127.0.0.1']],
		[['2606:4700:4700::1111', 'fd00::1']],
		[['::127.0.0.1']],
	])('refuses a name that resolves to %s, and does not reveal that', async (addresses) => {
		const error = await thrownBy(() => guardedAgent(url, open, resolves(...addresses)));
		expect(error).toMatchObject({ code: 'address-not-allowed', retryable: false });
		for (const address of addresses) expect(error.message).not.toContain(address);
	});

	it('accepts a name whose IP addresses are public or in a configured network', async () => {
		const rules = { ...open, networks: ['10.1.0.0/16'] };
		await guardedAgent(url, rules, resolves('1.1.1.1', '2606:4700:4700::1111', '10.1.2.3', '64:ff9b::1.1.1.1'));
		expect((await thrownBy(() => guardedAgent(url, rules, resolves('10.2.0.1')))).code).toBe('address-not-allowed');
	});

	it('retries a name without IP addresses later', async () => {
		for (const resolve of [
			resolves(),
			() => Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })),
		]) {
			const error = await thrownBy(() => guardedAgent(url, open, resolve));
			expect(error).toMatchObject({ code: 'remote-unavailable', retryable: true });
			expect(error.message).toContain('pictures.example');
		}
	});

	it('refuses this machine under the name that every system knows', async () => {
		const error = await thrownBy(() => guardedAgent(new URL('http://localhost/'), open));
		expect(error.code).toBe('address-not-allowed');
	});
});

describe('the agent of a request', () => {
	const url = new URL('http://pictures.example/');
	const at = (address: string) => async () => [{ address, family: 4 }];

	/** The status of a request, or the message of its error. */
	function ask(agent: Agent, host: string, port: number): Promise<string> {
		return new Promise((resolve) => {
			const request = get({ agent, host, port, headers: { host: 'pictures.example' } }, (response) => {
				response.resume();
				resolve(String(response.statusCode));
			});
			request.on('error', (error) => resolve(error.message));
		});
	}

	it('connects to the checked IP address, whatever the name resolves to by then', async () => {
		const remote = await startRemote(says(204));
		const agent = await guardedAgent(url, { ...open, networks: ['127.0.0.0/8'] }, at('127.0.0.1'));
		expect(await ask(agent, 'no-such-name.invalid', remote.port)).toBe('204');
		expect(remote.requests).toHaveLength(1);
	});

	it('checks again by itself: no literal IP address without a check', async () => {
		const remote = await startRemote(says(204));
		const agent = await guardedAgent(url, open, at('1.1.1.1'));
		expect(await ask(agent, '127.0.0.1', remote.port)).toContain('private IP address');
		expect(remote.requests).toEqual([]);
	});
});
