import { type Config, ConfigError, settings } from '../config/index.ts';
import { PicpipeError } from '../errors.ts';
import { loadRecipesFile } from '../pipeline/recipe/recipes.ts';
import { problemsOfPresets } from './check-presets.ts';
import { type Signable, signedPath, sourceOf } from './sign.ts';
import { below } from './sign-path.ts';

/**
 * Signs an address with the settings and the recipes file of this machine, without a server.
 *
 * @param wanted its source is an id or a URL
 * @throws ConfigError for what only a person can put right: no key, a recipes file that is not valid, options that are not known
 */
export async function signAddress(
	config: Config,
	wanted: Omit<Signable, 'source'> & { readonly source: string },
): Promise<string> {
	const { variable } = settings.deliveryKeys;
	const pair = config.deliveryKeys?.[0];
	if (!pair) {
		throw new ConfigError([
			`${variable}: expected <key>:<salt>, such as ${variable}=$(openssl rand -hex 32):$(openssl rand -hex 32), the same here and at the api, but received none`,
		]);
	}
	const { presets } = await loadRecipesFile(config.recipesFile, config, problemsOfPresets).catch(
		blame(settings.recipesFile.variable),
	);
	const { presetsOnly } = config;
	try {
		const source = sourceOf(wanted.source);
		const path = signedPath({ ...wanted, source }, pair, { presets: presets.imgproxy, presetsOnly });
		return below(config.publicUrl ?? config.apiUrl, path);
	} catch (error) {
		return blame('sign')(error);
	}
}

function blame(name: string): (error: unknown) => never {
	return (error) => {
		if (!(error instanceof PicpipeError)) throw error;
		throw new ConfigError([`${name}: ${error.message}`]);
	};
}
