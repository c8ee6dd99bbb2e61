/* zeek_test.c
 * Zeek's conn_state and history, from scripts of segments, one letter each: capitals are of the client.
 *
 *     S SYN   H SYN,ACK   A ACK   D data   F FIN,ACK   R RST,ACK   I FIN,RST   Q SYN,FIN   O SYN with data
 *     W ACK with a window of zero   X data that was not captured   V the latest of those again, captured
 *     P the end's latest segment again
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "check.h"
#include "zeek.h"

#include <stdint.h>
#include <string.h>

struct row {
    const char *script, *history, *conn_state;
};

/*
 * What Zeek's own tests expect, testing/btest/Baseline of github.com/zeek/zeek. The scripts follow from what the
 * baselines say of each trace: its name, the packets and octets of each end, the octets missed.
 */
static const struct row PUBLISHED[] = {
    /* scripts.base.protocols.conn.conn_state-RST-behavior: single-rst, syn-then-rst, syn-then-ack-then-rst, -stuff- */
    { "R", "R", "OTH" },
    { "SR", "SR", "RSTOS0" },
    { "SaR", "SaR", "RSTOS0" },
    { "SaFR", "SaFR", "OTH" },
    /* core.tcp.rxmit-history, conn-2.log; there "^h" is of a server's port that is not known as one */
    { "ShADad", "ShADad", "S1" },
    { "DdA", "DdA", "OTH" },
    { "h", "h", "OTH" },
    /* the same, conn-1.log, less "G" and "g": the trace lacks all payload, a gap to Zeek */
    { "ShADadpR", "ShADadtR", "RSTO" },
    /* core.tcp.missing-syn, "^hADdFaf" */
    { "hADdADFaf", "hADdFaf", "SF" },
    /* core.tcp.miss-end-data: 5 and 4 packets, all that the server sent is missed */
    { "ShADaxfAFa", "ShADafgF", "SF" },
    /* core.tcp.fin-rst-timeout */
    { "ShADadpFRfr", "ShADadtFRfr", "SF" },
    /* core.tcp.tcp-dups: 10 retransmissions of each end */
    { "ShADPadpPPPPPPPPPpppppppppFf", "ShADTadtTtFf", "SF" },
};

/* By the definitions in Zeek's documentation of conn.log, and by what its source does where they leave it open. */
static const struct row DEFINED[] = {
    { "", "", "OTH" },
    { "S", "S", "S0" },
    { "SPP", "S", "S0" }, /* the same number: written once */
    { "Sa", "Sa", "S0" }, /* an ACK alone does not answer a SYN */
    { "Sd", "Sd", "OTH" },
    { "ShA", "ShA", "S1" },
    { "Sh", "Sh", "S1" }, /* the last ACK is not waited for */
    { "ShADadFafA", "ShADadFf", "SF" },
    { "ShADFfAa", "ShADFfa", "SF" },
    { "Sr", "Sr", "REJ" },
    { "SrR", "SrR", "REJ" }, /* both reset, no data */
    { "SFRr", "SFRr", "REJ" },
    { "ShADadrR", "ShADadrR", "RSTR" },
    { "ShADFa", "ShADFa", "S2" },
    { "ShADafA", "ShADaf", "S3" },
    { "ShR", "ShR", "RSTO" }, /* a scan */
    { "ShADaR", "ShADaR", "RSTO" },
    { "ShADar", "ShADar", "RSTR" },
    { "ShADrF", "ShADrF", "RSTR" },
    { "ShADaFar", "ShADaFr", "RSTR" }, /* CLOSE_WAIT, aborted */
    { "ShADaFarR", "ShADaFrR", "RSTR" },
    { "ShADafFR", "ShADafFR", "SF" }, /* both had closed before the RST */
    { "SPR", "SR", "RSTOS0" },
    { "SDR", "SDR", "RSTOS0" }, /* "D" does not count against it */
    { "SAR", "SAR", "OTH" },
    { "hr", "hr", "RSTRH" },
    { "Ar", "Ar", "RSTRH" },
    { "AR", "AR", "OTH" },
    { "SF", "SF", "SH" },
    { "hf", "hf", "SHR" },
    { "AF", "AF", "SH" },
    { "Af", "Af", "SHR" },
    { "DFaf", "DFaf", "SF" },
    { "DdFf", "DdFf", "SF" },
    { "D", "D", "OTH" },
    { "Ad", "Ad", "OTH" },
    { "AS", "AS", "S0" }, /* a SYN after segments of a connection older than the capture */
    { "hA", "hA", "S1" },
    { "hSA", "hSA", "S1" }, /* captured in another order */
    { "SsHhA", "SsA", "S1" }, /* RFC 9293 figure 8: the SYN,ACKs have the numbers of the SYNs */
    { "ShAFPPa", "ShAFa", "S2" }, /* the same FIN */
    { "ShAFF", "ShAFF", "S2" }, /* another FIN */
    { "ShARR", "ShAR", "RSTO" },
    { "ShARXR", "ShARR", "RSTO" },
    { "ShAI", "ShAI", "RSTO" },
    { "ShAII", "ShAI", "RSTO" },
    { "Q", "Q", "SH" },
    { "QqPp", "Qq", "SF" },
    { "OhA", "SThA", "S1" }, /* Fast Open: to Zeek its data reach no further than its SYN did */
    /* retransmissions */
    { "ShADPa", "ShADTa", "S1" },
    { "ShADdPp", "ShADdTt", "S1" },
    { "ShAXDRV", "ShADR", "RSTO" }, /* not after a RST */
    /* zero windows */
    { "ShADwA", "ShADaw", "S1" },
    { "ShADwAwwwwwwwwww", "ShADaww", "S1" }, /* the 1st and the 10th */
    { "ShAFw", "ShAFa", "S2" }, /* of no interest after the peer's FIN */
    { "ShAFaW", "ShAFaW", "S2" },
    { "ShARW", "ShAR", "RSTO" },
    /* gaps */
    { "ShAXDa", "ShADaG", "S1" },
    { "ShAXa", "ShAaG", "S1" },
    { "ShAXDVa", "ShADTa", "S1" }, /* filled in before it was acknowledged */
    { "ShAXDaV", "ShADaGT", "S1" },
    { "ShADaxdAxA", "ShADadg", "S1" },
    { "ShAXFa", "ShAFaG", "S2" },
    { "ShAXDr", "ShADr", "RSTR" }, /* not what a RST acknowledges */
    { "AXDa", "ADa", "OTH" }, /* nor where the capture began later */
    { "AXDh", "ADh", "OTH" },
    { "ShAXDaXDaXDaXDaXDaXDaXDaXDaXDaXDa", "ShADaGG", "S1" },
    { "ShAXDXDa", "ShADaG", "S1" },
};

/* A connection of which a script is played. Of what has two, the first is the client's, whatever its index. */
struct play {
    struct zeek z;
    uint32_t iss[2], next[2];
    struct tcpfsm_segment latest[2], lost[2];
    unsigned client; /* its index */
};

static void capture(struct play *p, unsigned server, const struct tcpfsm_segment *seg)
{
    p->latest[server] = *seg;
    zeek_segment(&p->z, p->client ^ server, seg);
}

static uint8_t flags_of(char kind)
{
    switch (kind) {
    case 'S':
    case 'O':
        return TCP_SYN;
    case 'H':
        return TCP_SYN | TCP_ACK;
    case 'F':
        return TCP_FIN | TCP_ACK;
    case 'R':
        return TCP_RST | TCP_ACK;
    case 'I':
        return TCP_FIN | TCP_RST;
    case 'Q':
        return TCP_SYN | TCP_FIN;
    default:
        return TCP_ACK;
    }
}

static void play_letter(struct play *p, char letter)
{
    const unsigned server = letter >= 'a';
    const char kind = (char)(letter & ~0x20);
    const uint8_t flags = flags_of(kind);
    const struct tcpfsm_segment seg = {
        .flags = flags,
        .seq = (flags & TCP_SYN) ? p->iss[server] : p->next[server],
        .ack = (flags & TCP_ACK) ? p->next[!server] : 0,
        .len = strchr("DXO", kind) ? 100 : 0,
        .window = kind == 'W' || kind == 'R' ? 0 : 1000,
    };

    if (kind == 'P' || kind == 'V') {
        const struct tcpfsm_segment again = kind == 'P' ? p->latest[server] : p->lost[server];
        capture(p, server, &again);
        return;
    }
    p->next[server] = seg.seq + seg.len + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
    if (kind == 'X')
        p->lost[server] = seg;
    else
        capture(p, server, &seg);
}

/* Plays a script with the client at an index and given numbers of both SYNs. */
static void play(struct play *p, const char *script, unsigned client, uint32_t client_iss, uint32_t server_iss)
{
    memset(p, 0, sizeof *p);
    p->client = client;
    p->iss[0] = client_iss;
    p->iss[1] = server_iss;
    p->next[0] = client_iss + 1;
    p->next[1] = server_iss + 1;
    for (const char *letter = script; *letter; letter++)
        play_letter(p, *letter);
}

/* The same must come out whichever index the client has, and wherever the numbers wrap. */
static void check_rows(const struct row *row, size_t count)
{
    static const uint32_t ISS[] = { 1000, UINT32_MAX, UINT32_MAX - 150, INT32_MAX - 50 };
    char history[ZEEK_HISTORY_SIZE];
    struct play p;

    for (size_t i = 0; i < count; i++, row++) {
        for (unsigned n = 0; n < 8; n++) {
            play(&p, row->script, n & 1, ISS[n / 2], ISS[3 - n / 2]);
            zeek_history(&p.z, n & 1, history);
            CHECK_IN(strcmp(history, row->history) == 0, ", %s: %s, expected %s\n", row->script, history, row->history);
            const char *state = zeek_conn_state(&p.z, n & 1);
            CHECK_IN(strcmp(state, row->conn_state) == 0, ", %s: %s, expected %s\n", row->script, state,
                     row->conn_state);
        }
    }
}

/* Letters come at powers of ten, and no more than there is room for. */
static void test_counts(void)
{
    char history[ZEEK_HISTORY_SIZE];
    struct play p;

    play(&p, "ShAD", 0, 1, 1);
    for (unsigned n = 1; n <= 1000; n++) {
        play_letter(&p, 'P');
        zeek_history(&p.z, 0, history);
        CHECK(strlen(history) == 4u + 1 + (n >= 10) + (n >= 100) + (n >= 1000));
    }
    CHECK(strcmp(history, "ShADTTTT") == 0 && p.z.end[0].retransmissions == 1000);
    for (unsigned n = 0; n < 100; n++) { /* each RST has another number */
        play_letter(&p, 'R');
        play_letter(&p, 'X');
    }
    zeek_history(&p.z, 0, history);
    CHECK(strcmp(history, "ShADTTTTRRRRRRRRRRRRRRRRRRRRRRR") == 0 && strlen(history) == ZEEK_HISTORY_SIZE - 1);
}

/* Each hole counts once; of more than two at a time, one less is counted rather than one too many. */
static void test_gaps(void)
{
    static const struct { const char *script; uint32_t gaps; } ROW[] = {
        { "ShAXDa", 1 }, { "ShAXDXDa", 2 }, { "ShAXDXDXa", 3 }, { "ShAXDXDXDa", 2 }, { "ShAXDXDVa", 1 },
        { "ShAXDaXDa", 2 }, { "ShAXDaPa", 1 }, { "ShADXFa", 1 }, { "ShADFa", 0 },
    };
    struct play p;

    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        play(&p, ROW[i].script, 1, 7, UINT32_MAX);
        CHECK_IN(p.z.end[1].gaps == ROW[i].gaps, ", %s: %u\n", ROW[i].script, p.z.end[1].gaps);
    }
}

/* A segment of the client at a distance from the number it sends next, which acknowledges nothing new. */
static void send_at(struct play *p, uint8_t flags, uint32_t distance, uint32_t len)
{
    const struct tcpfsm_segment seg = {
        .flags = flags, .seq = p->next[0] + distance, .ack = p->next[1], .len = len, .window = 1,
    };
    capture(p, 0, &seg);
}

static void expect_history(const struct play *p, const char *expected)
{
    char history[ZEEK_HISTORY_SIZE];

    zeek_history(&p->z, p->client, history);
    CHECK_IN(strcmp(history, expected) == 0, ": %s, expected %s\n", history, expected);
}

/* Where numbers start, and which are not believed. */
static void test_numbers(void)
{
    struct play p;
    const struct zeek_end *client = &p.z.end[0], *server = &p.z.end[1];

    play(&p, "", 0, 100, 200);
    send_at(&p, TCP_ACK, 0, 1); /* the first octet that was captured is new */
    expect_history(&p, "D");

    play(&p, "S", 0, 100, 200);
    send_at(&p, TCP_SYN, 77, 0);
    CHECK(client->start == p.next[0] + 77);
    expect_history(&p, "S");

    play(&p, "ADa", 0, 100, 200);
    CHECK(client->acked == 101);
    send_at(&p, TCP_SYN, 77, 0);
    CHECK(client->start == p.next[0] + 77 && client->acked == 0);

    play(&p, "Sr", 0, 100, 200); /* a RST that may be forged, before the server's SYN,ACK */
    p.iss[1] = 5000;
    play_letter(&p, 'h');
    CHECK(server->start == 5000);

    play(&p, "ShA", 0, 100, 200);
    send_at(&p, TCP_FIN | TCP_ACK, 3000000000, 0);
    CHECK(client->last == 3000000002);

    play(&p, "ShA", 0, 100, 200);
    send_at(&p, TCP_RST, 2000000, 0);
    CHECK(client->last == 1);
    play(&p, "ShA", 0, 100, 200);
    send_at(&p, TCP_RST, -2000000u, 20);
    expect_history(&p, "ShAR");
    play(&p, "ShAD", 0, 100, 200);
    send_at(&p, TCP_RST, 0, 20); /* RFC 9293 section 3.5.3 allows octets in a RST. They take no numbers: so "T" */
    expect_history(&p, "ShADRT");

    play(&p, "ShA", 0, 0x90000000, 200);
    struct tcpfsm_segment seg = { .seq = p.next[1], .flags = TCP_ACK, .window = 1 }; /* of 0, far ahead */
    zeek_segment(&p.z, 1, &seg);
    CHECK(client->acked == 1);

    play(&p, "SR", 0, 100, 200);
    seg = (struct tcpfsm_segment){ .seq = p.next[1], .ack = 5000, .flags = TCP_RST | TCP_ACK };
    zeek_segment(&p.z, 1, &seg);
    CHECK(strcmp(zeek_conn_state(&p.z, 0), "REJ") == 0);
}

/* Data in any order leave no gap. */
static void test_order(void)
{
    static const uint32_t ORDER[][4] = {
        { 0, 100, 200, 300 }, { 300, 200, 100, 0 }, { 300, 100, 200, 0 }, { 200, 0, 300, 100 }, { 100, 300, 200, 0 },
    };
    struct play p;

    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++) {
        play(&p, "ShA", 0, UINT32_MAX - 150, 200);
        for (unsigned n = 0; n < 4; n++)
            send_at(&p, TCP_ACK, ORDER[i][n], 100);
        p.next[0] += 400;
        play_letter(&p, 'a');
        CHECK(p.z.end[0].gaps == 0 && p.z.end[0].delivered == 401 && p.z.end[0].held_count == 0);
    }
}

/* Whatever comes, conn_state is one of Zeek's, and history is of its letters. */
static void test_any(void)
{
    static const char STATES[] = " S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH ";
    char history[ZEEK_HISTORY_SIZE];
    uint32_t x = 1;

    for (unsigned run = 0; run < 2000; run++) {
        struct zeek z = { .letters = 0 };
        for (unsigned n = 0; n < 60; n++) {
            x = x * 1664525 + 1013904223;
            const uint32_t far = x >> 29 ? 0 : x * 2654435761u;
            const struct tcpfsm_segment seg = {
                .flags = (uint8_t)(x >> 8 & (x >> 16) & 0x17), .seq = (x >> 13 & 0x3ff) + far,
                .ack = (x >> 15 & 0x3ff) + far, .len = x >> 20 & 1 ? x >> 22 : 0, .window = x >> 24 & 3,
            };
            zeek_segment(&z, x >> 28, &seg);
        }
        char state[8];
        snprintf(state, sizeof state, " %s ", zeek_conn_state(&z, run));
        CHECK_IN(strstr(STATES, state), ": %s\n", state);
        zeek_history(&z, run, history);
        CHECK(strlen(history) == z.letters && z.letters < ZEEK_HISTORY_SIZE);
        CHECK_IN(strspn(history, "SsHhAaDdFfRrGgTtWwIiQq") == z.letters, ": %s\n", history);
    }
}

int main(void)
{
    CHECK(sizeof(struct zeek) == 152);
    check_rows(PUBLISHED, sizeof PUBLISHED / sizeof *PUBLISHED);
    check_rows(DEFINED, sizeof DEFINED / sizeof *DEFINED);
    test_counts();
    test_gaps();
    test_numbers();
    test_order();
    test_any();
    return 0;
}
