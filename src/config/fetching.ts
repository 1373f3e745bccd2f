import { hostList, integer, networkList, optional, portList, schemeList, setting } from './kinds.ts';

/** Pictures that are downloaded from other servers. */
export const fetching = {
	title: 'Fetching pictures by URL',
	settings: {
		fetchSchemes: setting(
			'PICPIPE_FETCH_SCHEMES',
			schemeList,
			'https,http',
			'URL schemes that are fetched. `none` turns uploads by URL off.',
		),
		fetchHosts: setting(
			'PICPIPE_FETCH_HOSTS',
			hostList,
			'*',
			'Hosts that are fetched from, redirects included. `*.example.org` covers every name below `example.org`.',
		),
		fetchPorts: setting('PICPIPE_FETCH_PORTS', portList, '80,443', 'Ports that are fetched from.'),
		fetchNetworks: optional(
			'PICPIPE_FETCH_NETWORKS',
			networkList,
			'Private networks that fetches may reach. By default only public IP addresses are allowed.',
		),
		fetchRedirects: setting(
			'PICPIPE_FETCH_REDIRECTS',
			integer(0, 50, 'redirects'),
			5,
			'Maximum redirects for one picture. Each is checked like the first URL.',
		),
		fetchConnectSeconds: setting(
			'PICPIPE_FETCH_CONNECT_SECONDS',
			integer(1, 600, 'seconds'),
			4,
			'Maximum time to connect to the remote server, name resolution and TLS included.',
		),
		fetchIdleSeconds: setting(
			'PICPIPE_FETCH_IDLE_SECONDS',
			integer(1, 3_600, 'seconds'),
			30,
			'Maximum time the remote server may send nothing.',
		),
		fetchSeconds: setting(
			'PICPIPE_FETCH_SECONDS',
			integer(1, 86_400, 'seconds'),
			300,
			'Maximum time to fetch one picture, redirects included.',
		),
		fetchRetrySeconds: setting(
			'PICPIPE_FETCH_RETRY_SECONDS',
			integer(0, 604_800, 'seconds'),
			3_600,
			'Longest `Retry-After` of a remote server that is respected. A longer one is shortened to this.',
		),
		fetchConcurrency: setting(
			'PICPIPE_FETCH_CONCURRENCY',
			integer(1, 1_000, 'fetches'),
			8,
			'Pictures a worker fetches at the same time.',
		),
	},
	notes: [
		`Private, loopback, link-local, shared (CGNAT) and reserved networks, and the metadata services of clouds, are refused unless
\`PICPIPE_FETCH_NETWORKS\` lists them.`,
	],
} as const;
