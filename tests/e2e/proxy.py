# SPDX-License-Identifier: BSD-2-Clause
"""kamailio as a peer's proxy: TCP or TLS to Viaduct, UDP to the sipp behind it. A process for each:
more would pass each other with what one side says in one order."""

from kamailio import Kamailio

PORTS = {"tcp": 5060, "tls": 5061}

TEXT = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
enable_tls={enable_tls}
listen=udp:{address}:5060
listen={transport}:{address}:{port}
tcp_connection_lifetime=3605
tcp_source_ipv4={address}
mpath="%(modules)s/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
{load_tls}
modparam("rr", "enable_double_rr", 1)
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
LOAD_TLS = """loadmodule "tls.so"
modparam("tls", "config", "{file}")"""
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
    load_tls = ""
    if identity:
        file = directory / "tls.cfg"
        file.write_text(TLS.format(key=identity.key, certificate=identity.certificate,
                                   ca=authority.file))
        load_tls = LOAD_TLS.format(file=file)
    port = PORTS[transport]
    text = TEXT.format(enable_tls="yes" if identity else "no", address=address, port=port,
                       transport=transport, load_tls=load_tls, behind=behind, viaduct=viaduct,
                       name=name)
    return Kamailio(ns, text, str(directory), (transport, address, port))
