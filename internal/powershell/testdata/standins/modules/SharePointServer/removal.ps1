# Stand-ins for the cmdlets that remove; their interface is that of every version.

function Get-AppPermissionEntry {
    param([string] $Site, [string] $RegisteredName)
    foreach ($entry in (Get-World).sharePoint.permissions) {
        if ($entry.site -eq $Site -and $entry.registeredName -eq $RegisteredName) { return $entry }
    }
    return [pscustomobject] @{ right = ''; appOnly = $false }
}

function Stop-PipeBind {
    param([string] $Cmdlet)
    Stop-Product -Id "Microsoft.SharePoint.PowerShell.SPCmdlet$Cmdlet" -Exception (
        New-Object System.InvalidOperationException 'A valid object could not be read from the provided pipebind parameter.')
}

function Remove-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    process {
        if (-not $PSCmdlet.ShouldProcess($Identity)) { return }
        $world = Get-World
        $kept = @($world.sharePoint.issuers | Where-Object { $_.name -ne $Identity })
        if ($kept.Count -eq @($world.sharePoint.issuers).Count) { Stop-PipeBind RemoveTrustedSecurityTokenIssuer }
        $world.sharePoint.issuers = $kept
        if (-not $world.sharePoint.forgets) { Set-World $world }
    }
}

function Remove-SPTrustedRootAuthority {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    process {
        if (-not $PSCmdlet.ShouldProcess($Identity)) { return }
        $world = Get-World
        $kept = @($world.sharePoint.authorities | Where-Object { $_.name -ne $Identity })
        if ($kept.Count -eq @($world.sharePoint.authorities).Count) { Stop-PipeBind RemoveTrustedRootAuthority }
        $world.sharePoint.authorities = $kept
        if (-not $world.sharePoint.forgets) { Set-World $world }
    }
}

function Remove-SPAppPrincipalPermission {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNull()] [object] $Site,
        [Parameter(Mandatory = $true, Position = 1, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $AppPrincipal,
        [Parameter(Mandatory = $true, Position = 2)] [ValidateSet('Site', 'SiteCollection', 'SiteSubscription')] [object] $Scope,
        [switch] $DisableAppOnlyPolicy,
        [Parameter(Position = 3, ValueFromPipeline = $true)] [object] $AssignmentCollection
    )

    $policy = (Get-AppPermissionEntry -Site $Site.Url -RegisteredName $AppPrincipal.NameIdentifier).appOnly -and -not $DisableAppOnlyPolicy
    $world = Get-World
    $kept = @($world.sharePoint.permissions | Where-Object { $_.site -ne $Site.Url -or $_.registeredName -ne $AppPrincipal.NameIdentifier })
    if ($policy) {
        $kept = $kept + [pscustomobject] @{ site = $Site.Url; registeredName = $AppPrincipal.NameIdentifier; right = ''; appOnly = $true }
    }
    $world.sharePoint.permissions = $kept
    if (-not $world.sharePoint.forgets) { Set-World $world }
}
