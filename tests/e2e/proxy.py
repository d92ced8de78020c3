# SPDX-License-Identifier: BSD-2-Clause
"""kamailio as a peer's proxy: TCP or TLS to Viaduct, UDP to the sipp behind it. A process for each:
more would pass each other with what one side says in one order."""

from kamailio import Kamailio, load

PORTS = {"tcp": 5060, "tls": 5061}

TEXT = """
tcp_children=1
enable_tls={enable_tls}
listen=udp:{address}:5060
listen={transport}:{address}:{port}
tcp_connection_lifetime=3605
tcp_source_ipv4={address}
{load_modules}modparam("rr", "enable_double_rr", 1)
# RFC 6026 7.1: an INVITE that comes again is no new one for 64*T1, also when it is answered.
modparam("tm", "wt_timer", 32000)
request_route {{
    if (is_method("OPTIONS") && uri == myself) {{ sl_send_reply("200", "OK"); exit; }}
    if (has_totag()) {{
        if (!loose_route()) {{ if (is_method("ACK")) {{ t_relay(); }} exit; }}
        # There is no DNS here.
        if ($rd == "{name}") {{ $du = "sip:{viaduct}:{port};transport={transport}"; }}
        t_relay();
        exit;
    }}
    if (is_method("CANCEL")) {{ t_relay(); exit; }}
    if (is_method("INVITE")) {{ record_route(); }}
    if ($pr == "{transport}") {{ $du = "sip:{behind}:5060"; }}
    else {{ $du = "sip:{viaduct}:{port};transport={transport}"; $fs = "{transport}:{address}:{port}"; }}
    t_relay();
}}
"""
MODULES = "tm sl rr pv maxfwd siputils textops"
TLS = """[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {key}
certificate = {certificate}
ca_list = {ca}
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {key}
certificate = {certificate}
ca_list = {ca}
"""


def start(ns, directory, address, behind, viaduct, name, identity=None, authority=None):
    """name: what Viaduct calls itself towards it. With an identity it speaks TLS."""
    transport = "tls" if identity else "tcp"
    load_modules = load(MODULES)
    if identity:
        file = directory / "tls.cfg"
        file.write_text(TLS.format(key=identity.key, certificate=identity.certificate,
                                   ca=authority.file))
        load_modules += load("tls") + f'modparam("tls", "config", "{file}")\n'
    port = PORTS[transport]
    text = TEXT.format(enable_tls="yes" if identity else "no", address=address, port=port,
                       transport=transport, load_modules=load_modules, behind=behind, viaduct=viaduct,
                       name=name)
    return Kamailio(ns, text, str(directory), (transport, address, port))
