/**
 * A self-signed certificate for `localhost` and 127.0.0.1, valid from 2020 to 2120, and its key. For tests of connections that must fail,
 * and, with `NODE_EXTRA_CA_CERTS`, of one that must not. The key protects nothing.
 */
export const selfSigned = {
	cert: `-----BEGIN CERTIFICATE-----
MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAJz605WwYxU1coT
nAmOLEIturyCDLArDLEJUNdcj/29QYxcG5piiGuUA+7Zle/VkArl30IXlBwg6MUb
+u29vDCjTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBT+auSEEc0t7RmnnXHkONufee7UcjAKBggqhkjOPQQD
AgNJADBGAiEA+kdugDKmpusXf1ariBNBaBGTyA3bhfn05CQFSoEISeoCIQDGbBf5
ZNF60KRtTvl9E+BwLarhxz71GGRhktuVV/rTZQ==
-----END CERTIFICATE-----`,
	key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgElVERnw4yyvVCJaM
2r64f+76dv5qB7Ny4xK3zKzypeShRANCAAQCc+tOVsGMVNXKE5wJjixCLbq8ggyw
KwyxCVDXXI/9vUGMXBuaYohrlAPu2ZXv1ZAK5d9CF5QcIOjFG/rtvbww
-----END PRIVATE KEY-----`,
};
