/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/codec_name.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "config/typo.h"

#define CODEC_MAX      63 /* bytes */
#define TYPO_FROM_SIZE 4  /* bytes: of shorter names every other one is a neighbour */
#define TYPO_MAX       1

/* The audio subtypes that IANA lists for RTP, and a few that are in use without. */
static const char *const known[] = {
	"1016",
	"AAL2-G726-16",
	"AAL2-G726-24",
	"AAL2-G726-32",
	"AAL2-G726-40",
	"aac",
	"ac3",
	"AMR",
	"AMR-WB",
	"amr-wb+",
	"aptx",
	"asc",
	"ATRAC-ADVANCED-LOSSLESS",
	"ATRAC-X",
	"ATRAC3",
	"BV16",
	"BV32",
	"clearmode",
	"CN",
	"comfort-noise",
	"DAT12",
	"DVI4",
	"eac3",
	"encaprtp",
	"EVRC",
	"EVRC-QCP",
	"EVRC0",
	"EVRC1",
	"EVRCB",
	"EVRCB0",
	"EVRCB1",
	"EVRCNW",
	"EVRCNW0",
	"EVRCNW1",
	"EVRCWB",
	"EVRCWB0",
	"EVRCWB1",
	"EVS",
	"flexfec",
	"fwdred",
	"G711-0",
	"G719",
	"G721",
	"G722",
	"G7221",
	"G723",
	"G726-16",
	"G726-24",
	"G726-32",
	"G726-40",
	"G728",
	"G729",
	"G7291",
	"G729D",
	"G729E",
	"GSM",
	"GSM-EFR",
	"GSM-HR-08",
	"iLBC",
	"ip-mr_v2.5",
	"iSAC",
	"L8",
	"L16",
	"L20",
	"L24",
	"LPC",
	"MELP",
	"MELP1200",
	"MELP2400",
	"MELP600",
	"mhas",
	"mobile-xmf",
	"MP4A-LATM",
	"MPA",
	"mpa-robust",
	"mpeg4-generic",
	"opus",
	"parityfec",
	"PCMA",
	"PCMA-WB",
	"PCMU",
	"PCMU-WB",
	"raptorfec",
	"RED",
	"rtp-enc-aescm128",
	"rtploopback",
	"rtx",
	"scip",
	"SILK",
	"SIREN",
	"SMV",
	"SMV-QCP",
	"SMV0",
	"sp-midi",
	"speex",
	"t140c",
	"t38",
	"telephone-event",
	"TETRA_ACELP",
	"TETRA_ACELP_BB",
	"tone",
	"TSVCIS",
	"UEMCLIP",
	"ulpfec",
	"usac",
	"VDVI",
	"VMR-WB",
	"VORBIS",
	"vorbis-config",
	"x-msrta",
};

/* What people and other systems call them. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{"alaw", "PCMA"},
	{"a-law", "PCMA"},
	{"G711", "PCMA or PCMU"},
	{"G.711", "PCMA or PCMU"},
	{"G711a", "PCMA"},
	{"G711alaw", "PCMA"},
	{"G711u", "PCMU"},
	{"G711ulaw", "PCMU"},
	{"ulaw", "PCMU"},
	{"u-law", "PCMU"},
	{"mulaw", "PCMU"},
	{"mu-law", "PCMU"},
	{"PCM", "PCMA or PCMU"},
	{"G722.1", "G7221"},
	{"G723.1", "G723"},
	{"G7231", "G723"},
	{"G729A", "G729"},
	{"G729B", "G729"},
	{"G729AB", "G729"},
	{"0", "PCMU"}, /* RFC 3551 6: payload types that stand for one codec each */
	{"3", "GSM"},
	{"4", "G723"},
	{"8", "PCMA"},
	{"9", "G722"},
	{"18", "G729"},
	{"DTMF", "telephone-event"},
	{"RFC2833", "telephone-event"},
	{"RFC4733", "telephone-event"},
};

/* RFC 4855 3: an encoding name is a media subtype, RFC 6838 4.2: these characters. A number is a
 * payload type and no name: none that is registered has digits alone. */
bool codec_name_is_valid(const char *name)
{
	return name[strspn(name, "0123456789")] && strlen(name) <= CODEC_MAX &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&-^_.+")];
}

const char *codec_name_meant(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(name, known[i]) == 0)
			return NULL;
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcasecmp(name, aliases[i].alias) == 0)
			return aliases[i].name;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i]) >= TYPO_FROM_SIZE && typo_distance(name, known[i]) <= TYPO_MAX)
			return known[i];
	}
	return NULL;
}
