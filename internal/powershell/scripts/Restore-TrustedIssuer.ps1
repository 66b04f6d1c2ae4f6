<#
.SYNOPSIS
Restores a trusted security token issuer to its state before a rotation.
.DESCRIPTION
It changes only what the rotation changed: an issuer that has the rotation's
certificate, an app principal that has full control. An issuer that existed before
gets its certificate and description back and is never removed. The time is
recorded in its description, because servers have to load it again. An issuer that
did not exist before is removed, after its permissions.
Source: Microsoft, Set-SPTrustedSecurityTokenIssuer,
Remove-SPTrustedSecurityTokenIssuer, Remove-SPAppPrincipalPermission.
.PARAMETER RegisteredName
The registered issuer name.
.PARAMETER Ours
The thumbprint that the rotation set.
.PARAMETER Previous
The certificate before the rotation, DER in base64, empty when there was no issuer.
.PARAMETER Description
The description before the rotation.
.PARAMETER Permissions
The rights of the app principal before the rotation: objects with Site, Right and
AppOnly.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f-]{36}@[0-9a-f-]{36}$')] [string] $RegisteredName,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Ours,
    [string] $Previous = '',
    [string] $Description = '',
    [object[]] $Permissions = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Reports whether two permissions are the same. Without a right AppOnly means
# nothing.
function Test-SamePermission {
    [CmdletBinding()]
    param([object] $One, [object] $Other)

    return $One.Right -eq $Other.Right -and ($One.Right -eq '' -or [bool] $One.AppOnly -eq [bool] $Other.AppOnly)
}

# Returns the app principal on a site, or null when the site has none by that name.
function Find-AppPrincipal {
    [CmdletBinding()]
    param([string] $Site, [object] $Issuer)

    if ($null -ne $Issuer) { return Get-SPAppPrincipal -Site $Site -NameIdentifier $Issuer.NameId }
    # Whether the principal survives the removal of its issuer is not documented.
    try { return Get-SPAppPrincipal -Site $Site -NameIdentifier $RegisteredName }
    catch { return $null }
}

# Restores the permission on one site and reports whether it changed.
function Restore-AppPermission {
    [CmdletBinding()]
    param([object] $Web, [object] $Was, [object] $Issuer)

    $now = Get-AppPermission -Web $Web -RegisteredName $RegisteredName
    if (Test-SamePermission -One $now -Other $Was) { return $false }
    $ours = $now.Right -eq 'FullControl' -and $now.AppOnly
    # After the first of the two calls below there is no right at all.
    $between = $now.Right -eq '' -and -not (Test-SamePermission -One $Was -Other @{ Right = 'FullControl'; AppOnly = $true })
    if (-not $ours -and -not $between) {
        Stop-Script -Id 'ChangedSince' -Message (
            "the app permission of $RegisteredName at $($Was.Site) is '$($now.Right)': neither full control without a user nor '$($Was.Right)'")
    }
    $app = Find-AppPrincipal -Site $Was.Site -Issuer $Issuer
    if ($null -eq $app) {
        if ($null -eq $Issuer) { return $false }
        Stop-Script -Id 'AppPrincipalMissing' -Message "$($Was.Site) knows no app principal $RegisteredName"
    }
    # Inferred: setting a lesser right does not end app-only access, since only
    # the Remove cmdlet has a switch for that.
    if ($now.Right -ne '') {
        Remove-SPAppPrincipalPermission -AppPrincipal $app -Site $Web -Scope SiteSubscription -DisableAppOnlyPolicy -Confirm:$false | Out-Null
    }
    if ($Was.Right -ne '' -and $Was.AppOnly) {
        Set-SPAppPrincipalPermission -AppPrincipal $app -Site $Web -Scope SiteSubscription -Right $Was.Right -EnableAppOnlyPolicy -Confirm:$false | Out-Null
    }
    elseif ($Was.Right -ne '') {
        Set-SPAppPrincipalPermission -AppPrincipal $app -Site $Web -Scope SiteSubscription -Right $Was.Right -Confirm:$false | Out-Null
    }
    if (-not (Test-SamePermission -One (Get-AppPermission -Web $Web -RegisteredName $RegisteredName) -Other $Was)) {
        Stop-Script -Id 'SettingNotKept' -Message "the app permission of $RegisteredName at $($Was.Site) is not what it was restored to"
    }
    return $true
}

Import-SharePoint
$null = Get-Farm
$before = $null
$wanted = ''
if ($Previous -ne '') {
    $before = New-PublicCertificate -Der ([Convert]::FromBase64String($Previous))
    $wanted = $before.Thumbprint
}
$found = @(Find-Issuer -RegisteredName $RegisteredName)
if ($found.Count -gt 1) {
    Stop-Script -Id 'IssuerAmbiguous' -Message "$($found.Count) issuers have the registered name $RegisteredName"
}
$issuer = $null
$held = ''
if ($found.Count -eq 1) {
    $issuer = $found[0]
    $held = 'no certificate'
    if ($null -ne $issuer.SigningCertificate) { $held = [string] $issuer.SigningCertificate.Thumbprint }
}
if ($held -ne $wanted -and $held -ne $Ours) {
    Stop-Script -Id 'ChangedSince' -Message "the issuer $RegisteredName has certificate '$held', neither '$Ours' nor '$wanted'"
}

$restored = @(foreach ($was in $Permissions) {
    $site = Get-SPSite -Identity $was.Site
    try { if (Restore-AppPermission -Web $site.RootWeb -Was $was -Issuer $issuer) { $was.Site } }
    finally { $site.Dispose() }
})

$due = $held -ne $wanted
if ($due -and $null -ne $before) {
    $text = ConvertTo-MarkedText -Text $Description
    # Without -IsTrustBroker a trust broker would no longer be one.
    if (-not $issuer.IsSelfIssuer) {
        Set-SPTrustedSecurityTokenIssuer -Identity $issuer.Name -Certificate $before -RegisteredIssuerName $RegisteredName `
            -Description $text -IsTrustBroker -Confirm:$false | Out-Null
    }
    else {
        Set-SPTrustedSecurityTokenIssuer -Identity $issuer.Name -Certificate $before -RegisteredIssuerName $RegisteredName `
            -Description $text -Confirm:$false | Out-Null
    }
}
elseif ($due) { Remove-SPTrustedSecurityTokenIssuer -Identity $issuer.Name -Confirm:$false | Out-Null }

$left = ''
foreach ($one in Find-Issuer -RegisteredName $RegisteredName) { $left = [string] $one.SigningCertificate.Thumbprint }
if ($left -ne $wanted) {
    Stop-Script -Id 'SettingNotKept' -Message "the issuer $RegisteredName has certificate '$left' after it was restored to '$wanted'"
}

[pscustomobject] @{
    changed = $due -or $restored.Count -gt 0
    updated = $due -and $null -ne $before
    removed = $due -and $null -eq $before
    permissions = $restored
}
