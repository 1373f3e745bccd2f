import { describe, expect, it } from 'vitest';
import { whyNotPublic } from '../../src/http/guard.ts';

describe('an IP address is not public', () => {
	it.each([
		['127.0.0.1', 'loopback'],
		['127.255.255.254', 'loopback'],
		['0.0.0.0', 'unspecified'],
		['0.1.2.3', 'unspecified'],
		['10.0.0.1', 'private'],
		['172.16.0.1', 'private'],
		['172.31.255.255', 'private'],
		['192.168.1.1', 'private'],
		['169.254.169.254', 'link local'],
		['100.64.0.1', 'carrier grade nat'],
		['100.100.100.200', 'carrier grade nat'],
		['192.0.0.192', 'reserved'],
		['192.0.2.1', 'reserved'],
		['198.18.0.1', 'reserved'],
		['240.0.0.1', 'reserved'],
		['224.0.0.1', 'multicast'],
		['255.255.255.255', 'broadcast'],
		['168.63.129.16', 'metadata'],
		['::', 'unspecified'],
		['::1', 'loopback'],
		['fe80::1', 'link local'],
		['fec0::1', 'deprecated site local'],
		['fd00:ec2::254', 'unique local'],
		['fc00::1', 'unique local'],
		['ff02::1', 'multicast'],
		['2001:db8::1', 'reserved'],
		['100::1', 'discard'],
		// IPv4 within IPv6, in every form.
		['::ffff:127.0.0.1', 'loopback'],
		['::ffff:7f00:1', 'loopback'],
		['::ffff:a9fe:a9fe', 'link local'],
		['::127.0.0.1', 'reserved'],
		['::a00:1', 'reserved'],
		['64:ff9b::10.0.0.1', 'private'],
		['64:ff9b::7f00:1', 'loopback'],
		['64:ff9b::a83f:8110', 'metadata'],
		['64:ff9b:1::a00:1', 'rfc6052'],
		['::ffff:0:a00:1', 'rfc6145'],
		['2002:7f00:1::', '6to4'],
		['2002:a00:1::1', '6to4'],
		['2001:0:a00:1::1', 'teredo'],
		// Nobody's yet.
		['4000::1', 'reserved'],
		['1::1', 'reserved'],
	])('%s: %s', (address, why) => {
		expect(whyNotPublic(address, [])).toBe(why);
	});
});

describe('an IP address is public', () => {
	it.each([
		'1.1.1.1',
		'9.255.255.255',
		'11.0.0.1',
		'100.63.255.255',
		'100.128.0.1',
		'172.15.255.255',
		'172.32.0.1',
		'168.63.129.17',
		'2606:4700:4700::1111',
		'2a00:1450:4001::1',
		// Public, through a gateway of an IPv6-only network or a socket of both families.
		'64:ff9b::1.1.1.1',
		'::ffff:1.1.1.1',
	])('%s', (address) => {
		expect(whyNotPublic(address, [])).toBeUndefined();
	});
});

describe('a configured network', () => {
	it.each([
		['127.0.0.1', ['127.0.0.0/8']],
		['::ffff:127.0.0.1', ['127.0.0.0/8']],
		['64:ff9b::a00:1', ['10.0.0.0/24']],
		['10.0.0.255', ['192.168.0.0/16', '10.0.0.0/24']],
		['fd00:1::5', ['10.0.0.0/8', 'fd00:1::/32']],
		['168.63.129.16', ['168.63.129.16/32']],
		['64:ff9b:1::a00:1', ['64:ff9b:1::/48']],
		['::1', ['::1/128']],
	])('allows %s', (address, allowed) => {
		expect(whyNotPublic(address, allowed)).toBeUndefined();
	});

	it.each([
		['10.0.1.0', ['10.0.0.0/24']],
		['192.168.0.1', ['10.0.0.0/8']],
		['::1', ['127.0.0.0/8']],
		['::127.0.0.1', ['127.0.0.0/8']],
		['2002:7f00:1::', ['127.0.0.0/8']],
		['127.0.0.1', ['::1/128', '::/0']],
	])('does not allow %s', (address, allowed) => {
		expect(whyNotPublic(address, allowed)).toBeDefined();
	});
});
