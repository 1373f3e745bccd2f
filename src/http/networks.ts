import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Which addresses are anybody's to connect to. */

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * What the internet as a whole may use (IANA, "IPv6 Global Unicast Address Assignments"). ipaddr.js calls everything public that it has no
 * name for, such as the addresses once meant to embed IPv4 ones (`::/96`, RFC 4291, 2.5.5.1).
 */
const globalUnicast = ipaddr.parseCIDR('2000::/3');
/** Where a gateway to IPv4 sees an IPv4 address in the last 32 bits (RFC 6052, 2.1). */
const nat64 = ipaddr.parseCIDR('64:ff9b::/96');
/** Public by its number, and yet the metadata service of a cloud (Azure); those of others have addresses that are not public. */
const metadata = '168.63.129.16';

/**
 * Why an address is not public, in a word or two, such as `loopback` or `private`; undefined for one that is. An IPv4 address within an
 * IPv6 one is looked at as itself where it would be reached; forms that only once led somewhere (6to4, Teredo) count as not public.
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

/** Without dots: ipaddr.js takes `::10.0.0.1` for `::ffff:10.0.0.1`, which is another address. */
function inHex(address: string): string {
	return new URL(`http://[${address.replace(/%.*/, '')}]/`).hostname.slice(1, -1);
}

function embedded(address: Address): Address | undefined {
	if (!(address instanceof ipaddr.IPv6)) return undefined;
	if (address.isIPv4MappedAddress()) return address.toIPv4Address();
	return isWithin(address, nat64) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : undefined;
}

function isWithin(address: Address, [network, bits]: [Address, number]): boolean {
	return address.kind() === network.kind() && address.match(network, bits);
}

/** `carrierGradeNat` is `carrier grade nat` to people. */
function words(range: string): string {
	return range.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
