/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of audio codecs, as a=rtpmap has them (RFC 4855, RFC 6838 4.2). */
#ifndef VIADUCT_CONFIG_CODEC_NAME_H
#define VIADUCT_CONFIG_CODEC_NAME_H

#include <stdbool.h>

/* Whether SDP could name a codec so. */
bool codec_name_is_valid(const char *name);
/* What is meant by a name that is surely none of a codec, such as ULAW or telephone-events; else
 * NULL: names that nobody has registered are in use too. */
const char *codec_name_meant(const char *name);

#endif
