# What the processes of an office server have loaded. They use what was set when they
# started, and no interface tells what that was, so that a restart leaves a note of
# it in the registry.

# Returns the note, or null when there is none that can be read.
function Get-LoadedNote {
    [CmdletBinding()]
    param()

    $text = Get-LoadedText
    if (-not $text) { return $null }
    try {
        $note = ConvertFrom-Json -InputObject $text
        return [pscustomobject] @{
            since = ([datetime] $note.since).ToUniversalTime()
            service = ([datetime] $note.service).ToUniversalTime()
            s2sCertificateName = [string] $note.s2sCertificateName
            thumbprint = [string] $note.thumbprint
            allowOutboundHttp = [bool] $note.allowOutboundHttp
            allowHttpSecureStoreConnections = [bool] $note.allowHttpSecureStoreConnections
        }
    }
    catch { return $null }
}

# Returns the settings that a process loads which starts now, and since when the
# machine has the key of the certificate that they select. They cannot be read, and
# are null, while WACSM is stopped and in no farm.
function Get-SettingsToLoad {
    [CmdletBinding()]
    param()

    if (-not (Get-ServiceRecord -Name WACSM).running -or $null -eq (Get-OfficeMachine)) { return $null }
    $farm = Get-OfficeWebAppsFarm
    $name = [string] $farm.S2SCertificateName
    $selected = @(foreach ($certificate in Get-StoreCertificate -Store My) {
        if ($name -ne '' -and $certificate.FriendlyName -eq $name) { $certificate }
    })
    $thumbprint = ''
    $keySince = $null
    if ($selected.Count -eq 1) {
        $thumbprint = [string] $selected[0].Thumbprint
        $keySince = (ConvertTo-CertificateRecord -Certificate $selected[0]).keySince
    }
    return [pscustomobject] @{
        s2sCertificateName = $name
        thumbprint = $thumbprint
        allowOutboundHttp = [bool] $farm.AllowOutboundHttp
        allowHttpSecureStoreConnections = [bool] $farm.AllowHttpSecureStoreConnections
        keySince = $keySince
    }
}

# Reports whether a note says what is set now.
function Test-NoteCurrent {
    [CmdletBinding()]
    param([object] $Note, [object] $Settings)

    return $null -ne $Note -and $null -ne $Settings -and
        $Note.s2sCertificateName -ceq $Settings.s2sCertificateName -and $Note.thumbprint -eq $Settings.thumbprint -and
        $Note.allowOutboundHttp -eq $Settings.allowOutboundHttp -and
        $Note.allowHttpSecureStoreConnections -eq $Settings.allowHttpSecureStoreConnections
}

# Returns the moment before which nothing may have started that is to have loaded
# what is set now. A note that says what is set now, and is not younger than a
# process, proves that all have loaded it: then only NotBefore counts. A note from
# before NotBefore proves nothing: something else was set in between, and a process
# may have started with that. Without the proof the times of the settings file and of
# the key count too; and the very process of a note that says something else has
# certainly loaded that. UnlessNoted counts unless the proof is about the very process
# of the note: no trust is changed on the strength of what another may have loaded.
function Get-RestartBound {
    [CmdletBinding()]
    param(
        [object] $Note,
        [object] $Settings,
        [Parameter(Mandatory = $true)] [datetime] $Now,
        [Nullable[datetime]] $NotBefore,
        [Nullable[datetime]] $UnlessNoted
    )

    $moments = New-Object System.Collections.Generic.List[datetime]
    if ($null -ne $NotBefore) { $moments.Add($NotBefore.ToUniversalTime()) }
    $service = (Get-ServiceRecord -Name WACSM).since
    $current = Test-NoteCurrent -Note $Note -Settings $Settings
    $isNoted = $null -ne $Note -and $null -ne $service -and ($service.ToUniversalTime() - $Note.service).Duration().TotalSeconds -lt 1
    $proven = $current -and $null -ne $service -and $service.ToUniversalTime() -ge $Note.since -and -not (Test-OlderWorker -Before $Note.since)
    if ($proven -and $null -ne $NotBefore) { $proven = $Note.since -ge $NotBefore.ToUniversalTime() }
    if ($null -ne $UnlessNoted -and -not ($proven -and $isNoted)) { $moments.Add($UnlessNoted.ToUniversalTime()) }
    if (-not $proven) {
        $written = Get-SettingsTime
        # Without a settings file nothing is known.
        if ($null -eq $written) { $moments.Add($Now) }
        if ($isNoted -and -not $current) { $moments.Add($Now) }
        $since = $null
        if ($null -ne $Settings) { $since = $Settings.keySince }
        foreach ($moment in $written, $since) {
            if ($null -ne $moment) { $moments.Add($moment.ToUniversalTime()) }
        }
    }
    $bound = [datetime]::MinValue
    foreach ($moment in $moments) { if ($moment -gt $bound) { $bound = $moment } }
    return $bound
}

# Notes what was loaded by processes that started after Since.
function Save-LoadedNote {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Settings,
        [Parameter(Mandatory = $true)] [datetime] $Since
    )

    Set-LoadedText -Text (ConvertTo-AsciiJson -Value ([pscustomobject] @{
        since = $Since
        service = (Get-ServiceRecord -Name WACSM).since
        s2sCertificateName = $Settings.s2sCertificateName
        thumbprint = $Settings.thumbprint
        allowOutboundHttp = $Settings.allowOutboundHttp
        allowHttpSecureStoreConnections = $Settings.allowHttpSecureStoreConnections
    }))
}

# Removes the note: what a process has loaded that was started is not known.
function Clear-LoadedNote {
    [CmdletBinding()]
    param()

    if ($null -ne (Get-LoadedNote)) { Set-LoadedText -Text '' }
}
