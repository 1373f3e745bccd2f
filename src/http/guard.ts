import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import type { Agent } from 'node:http';
import { isIP, isIPv6, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';
import { PicpipeError } from '../errors.ts';

/** Limits of requests to other servers. */
export interface OutgoingRules {
	readonly schemes: readonly ('http' | 'https')[];
	/** Host names in lower case; `*.example.org` matches every name below it. */
	readonly hosts: '*' | readonly string[];
	readonly ports: '*' | readonly number[];
	/** Private networks that requests may reach, such as `10.1.0.0/16`. */
	readonly networks: readonly string[];
	/** Prefix of the settings behind these rules, for errors: `PICPIPE_FETCH`. */
	readonly settings: string;
}

/** Finds all IP addresses of a name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

const resolveAsSystem: Resolve = (host) => systemLookup(host, { all: true });

/**
 * Checks a URL from outside as far as possible without a connection: scheme, credentials, port, host, and the network of a literal IP
 * address. The fragment is for browsers and is dropped.
 *
 * @throws PicpipeError `url-unsupported`, `url-not-allowed`, `address-not-allowed`
 */
export function checkUrl(text: string | URL, rules: OutgoingRules): URL {
	const url = URL.parse(String(text));
	if (!url) throw new PicpipeError('url-unsupported', `Expected a URL but received ${quote(String(text))}.`);
	checkScheme(url, rules);
	if (url.username !== '' || url.password !== '') {
		throw new PicpipeError(
			'url-not-allowed',
			`Expected a URL without user name and password but the URL of ${url.host} contains them.`,
		);
	}
	const port = Number(url.port || { 'http:': 80, 'https:': 443 }[url.protocol]);
	if (rules.ports !== '*' && !rules.ports.includes(port)) {
		const expected = `${rules.ports.join(' or ')} (${rules.settings}_PORTS)`;
		throw new PicpipeError('url-not-allowed', `Expected port ${expected} but received ${port} of ${url.hostname}.`);
	}
	if (!isAllowedHost(hostOf(url), rules.hosts)) {
		throw new PicpipeError(
			'url-not-allowed',
			`Expected one of the hosts of ${rules.settings}_HOSTS but received ${url.hostname}.`,
		);
	}
	if (isIP(hostOf(url))) checkAddresses(url, [hostOf(url)], rules);
	url.hash = '';
	// The dot of the DNS root changes nothing, and certificates do not contain it.
	url.hostname = url.hostname.replace(/\.$/, '');
	return url;
}

function checkScheme(url: URL, { schemes, settings }: OutgoingRules): void {
	const scheme = url.protocol.slice(0, -1);
	if ((schemes as readonly string[]).includes(scheme)) return;
	if (scheme === 's3') {
		throw new PicpipeError(
			'url-unsupported',
			`Expected a URL with the scheme ${schemes.join(' or ')} but received s3. This version has no storage driver for S3; use a signed https URL of the object.`,
		);
	}
	const expected =
		schemes.length === 0 ? `no URL at all (${settings}_SCHEMES=none)` : `a URL of ${schemes.join(' or ')}`;
	const isKnown = scheme === 'http' || scheme === 'https';
	throw new PicpipeError(
		isKnown ? 'url-not-allowed' : 'url-unsupported',
		`Expected ${expected} but received one of ${quote(scheme)}.`,
	);
}

/**
 * Makes the agent for one request. It connects only to the current IP addresses of the host, and only if all of them are allowed. Names are
 * resolved once, so the checked IP address is the one connected to. request-filtering-agent checks each connection again, with its own rules.
 *
 * @param url as `checkUrl` returned it
 * @throws PicpipeError `address-not-allowed`, `remote-unavailable` for a name without addresses
 */
export async function guardedAgent(url: URL, rules: OutgoingRules, resolve: Resolve = resolveAsSystem): Promise<Agent> {
	const host = hostOf(url);
	const family = isIP(host);
	const addresses = family ? [{ address: host, family }] : await resolveName(host, resolve);
	checkAddresses(
		url,
		addresses.map(({ address }) => address),
		rules,
	);
	const lookup: LookupFunction = (_host, options, callback) => {
		const [first] = addresses;
		if (options.all) callback(null, [...addresses]);
		else callback(null, first?.address ?? '', first?.family);
	};
	const options = {
		lookup,
		// These are checked already. The agent allows no other address that is not public.
		allowIPAddressList: addresses.map(({ address }) => address),
		keepAlive: false,
	};
	return url.protocol === 'https:' ? new RequestFilteringHttpsAgent(options) : new RequestFilteringHttpAgent(options);
}

async function resolveName(host: string, resolve: Resolve): Promise<readonly LookupAddress[]> {
	const unresolved = (cause?: unknown) =>
		new PicpipeError(
			'remote-unavailable',
			`Expected an IP address for ${host} but the name does not resolve at the moment.`,
			{ cause },
		);
	const addresses = await resolve(host).catch((cause) => {
		throw unresolved(cause);
	});
	if (addresses.length === 0) throw unresolved();
	return addresses;
}

/** One forbidden IP address among several suffices for a refusal, because the system chooses between them. */
function checkAddresses(url: URL, addresses: readonly string[], { networks, settings }: OutgoingRules): void {
	for (const address of addresses) {
		const why = whyNotPublic(address, networks);
		if (why === undefined) continue;
		// The IP address is only logged: in the message it would reveal how names resolve in this network.
		throw new PicpipeError(
			'address-not-allowed',
			`Expected a host in a public network, or in one of ${settings}_NETWORKS, but ${url.hostname} is in another (${why}).`,
			{ cause: new Error(`${url.hostname} is ${address}`) },
		);
	}
}

function isAllowedHost(host: string, allowed: '*' | readonly string[]): boolean {
	if (allowed === '*') return true;
	return allowed.some((one) =>
		one.startsWith('*.') ? host.endsWith(one.slice(1)) : host === one.replace(/^\[(.*)\]$/, '$1'),
	);
}

/** Without the brackets of IPv6 and without the dot of the root. */
function hostOf(url: URL): string {
	return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function quote(text: string): string {
	return JSON.stringify(text.slice(0, 200));
}

type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * The addresses for global use (IANA, "IPv6 Global Unicast Address Assignments"). ipaddr.js treats every range without a name as public,
 * such as the addresses once meant to embed IPv4 ones (`::/96`, RFC 4291, 2.5.5.1).
 */
const globalUnicast = ipaddr.parseCIDR('2000::/3');
/** Gateways to IPv4 read an IPv4 address from the last 32 bits (RFC 6052, 2.1). */
const nat64 = ipaddr.parseCIDR('64:ff9b::/96');
/** A public address that is a cloud's metadata service (Azure). Those of other clouds are not public. */
const metadata = '168.63.129.16';

/**
 * Why an address is not public, in a word or two, such as `loopback` or `private`; undefined if it is public. An IPv4 address inside an
 * IPv6 address is checked itself if traffic would reach it. Obsolete forms (6to4, Teredo) count as not public.
 *
 * @param address a literal address, without brackets
 * @param allowed networks that count as public, such as `10.1.0.0/16`
 */
export function whyNotPublic(address: string, allowed: readonly string[]): string | undefined {
	const given = ipaddr.parse(isIPv6(address) ? inHex(address) : address);
	const meant = embedded(given) ?? given;
	if ([given, meant].some((one) => allowed.some((network) => isWithin(one, ipaddr.parseCIDR(network)))))
		return undefined;
	if (meant.toString() === metadata) return 'metadata';
	if (meant.range() !== 'unicast') return words(meant.range());
	return meant.kind() === 'ipv4' || isWithin(meant, globalUnicast) ? undefined : 'reserved';
}

/** In hex groups: with dots, ipaddr.js reads `::10.0.0.1` as `::ffff:10.0.0.1`, which is another address. */
function inHex(address: string): string {
	return new URL(`http://[${address.replace(/%.*/, '')}]/`).hostname.slice(1, -1);
}

function embedded(address: IpAddress): IpAddress | undefined {
	if (!(address instanceof ipaddr.IPv6)) return undefined;
	if (address.isIPv4MappedAddress()) return address.toIPv4Address();
	return isWithin(address, nat64) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : undefined;
}

function isWithin(address: IpAddress, [network, bits]: [IpAddress, number]): boolean {
	return address.kind() === network.kind() && address.match(network, bits);
}

/** `carrierGradeNat` becomes `carrier grade nat`. */
function words(range: string): string {
	return range.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
